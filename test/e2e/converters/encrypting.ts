import { defaultPayloadConverter, type LoadedDataConverter } from '@temporalio/common';
import { failureConverter } from './encrypting-failures.ts';
import { encryptionCodec } from './encryption-codec.ts';

/** What callers and handlers share so that nobody between them can read what they say. */
const encrypting: LoadedDataConverter = {
  payloadConverter: defaultPayloadConverter,
  failureConverter,
  payloadCodecs: [encryptionCodec],
};

export default encrypting;
