import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An OpenID Connect issuer of JSON Web Tokens, on 127.0.0.1. */
export interface TokenIssuer {
  readonly url: string;
  /** A token with these claims over those of one that is valid for ten minutes, for the audience `nexus`. */
  token(claims: Readonly<Record<string, unknown>>): string;
  /** One that says it is of this issuer, signed with another key. */
  forgedToken(claims: Readonly<Record<string, unknown>>): string;
  stop(): Promise<void>;
}

const KEY_ID = 'of the test';
const LIFETIME_S = 600;

const newKeys = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { privateKey, publicKey } = newKeys();
  const server = createServer((request, response) => {
    const answers: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys` },
      '/keys': { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' }] },
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function signed(claims: Readonly<Record<string, unknown>>, key: KeyObject): string {
    const now = Math.floor(Date.now() / 1_000);
    const all = { iss: url, aud: 'nexus', iat: now, exp: now + LIFETIME_S, ...claims };
    const parts = [{ alg: 'RS256', typ: 'JWT', kid: KEY_ID }, all].map((part) => base64url(JSON.stringify(part)));
    const signature = sign('RSA-SHA256', Buffer.from(parts.join('.')), key);
    return [...parts, base64url(signature)].join('.');
  }

  return {
    url,
    token: (claims) => signed(claims, privateKey),
    forgedToken: (claims) => signed(claims, newKeys().privateKey),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function base64url(data: string | Buffer): string {
  return Buffer.from(data).toString('base64url');
}
