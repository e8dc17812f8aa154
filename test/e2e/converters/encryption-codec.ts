import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const ALGORITHM = 'aes-256-gcm';
const ENCODING = 'binary/encrypted';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const { Payload: PayloadProto } = proto.temporal.api.common.v1;

/** Both sides must have it. A real one comes from a secret store. */
const KEY = Buffer.alloc(32, 'a key that only the tests know');

/** Encrypts whole payloads, their metadata included, with AES-GCM. */
export const encryptionCodec: PayloadCodec = {
  encode: async (payloads) => payloads.map(encrypt),
  decode: async (payloads) => payloads.map(decrypt),
};

function encrypt(payload: Payload): Payload {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, KEY, iv);
  const plain = PayloadProto.encode(payload).finish();
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  return {
    metadata: { encoding: Buffer.from(ENCODING) },
    data: Buffer.concat([iv, cipher.getAuthTag(), encrypted]),
  };
}

function decrypt(payload: Payload): Payload {
  if (Buffer.from(payload.metadata?.encoding ?? []).toString() !== ENCODING) return payload;
  const data = Buffer.from(payload.data ?? []);
  const decipher = createDecipheriv(ALGORITHM, KEY, data.subarray(0, IV_BYTES));
  decipher.setAuthTag(data.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const plain = Buffer.concat([decipher.update(data.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  return PayloadProto.decode(plain);
}
