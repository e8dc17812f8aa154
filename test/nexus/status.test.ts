import { type HandlerErrorType, HandlerErrorType as types } from 'nexus-rpc';
import { expect, it } from 'vitest';
import { statusOf, typeOfStatus } from '../../src/nexus/status.ts';

it.each([
  ['BAD_REQUEST', 400],
  ['UNAUTHENTICATED', 401],
  ['UNAUTHORIZED', 403],
  ['NOT_FOUND', 404],
  ['REQUEST_TIMEOUT', 408],
  ['CONFLICT', 409],
  ['RESOURCE_EXHAUSTED', 429],
  ['INTERNAL', 500],
  ['NOT_IMPLEMENTED', 501],
  ['UNAVAILABLE', 503],
  ['UPSTREAM_TIMEOUT', 520],
] as const)('%s is %d, and back', (type, status) => {
  expect(statusOf(type)).toBe(status);
  expect(typeOfStatus(status)).toBe(type);
});

it('has a status for every type of nexus-rpc', () => {
  for (const type of Object.values(types)) expect(statusOf(type)).toBeGreaterThanOrEqual(400);
});

it.each(['UNKNOWN', 'FUTURE', 'constructor', ''])('%j is 500', (type) => {
  expect(statusOf(type as HandlerErrorType)).toBe(500);
});

it.each([200, 202, 301, 405, 410, 413, 418, 422, 424, 431, 502, 504])('%d stands for no type', (status) => {
  expect(typeOfStatus(status)).toBeUndefined();
});
