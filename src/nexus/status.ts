import type { HandlerErrorType } from 'nexus-rpc';

const STATUS: Readonly<Record<HandlerErrorType, number>> = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  UNAUTHORIZED: 403,
  NOT_FOUND: 404,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  NOT_IMPLEMENTED: 501,
  UNAVAILABLE: 503,
  UPSTREAM_TIMEOUT: 520,
  UNKNOWN: 500,
};

/** The HTTP status of an answer that did not start an operation because the operation failed or was canceled. */
export const STATUS_OPERATION_UNSUCCESSFUL = 424;

/** The HTTP status that stands for a handler error; 500 for UNKNOWN and for types that are not Nexus's. */
export function statusOf(type: HandlerErrorType): number {
  return Object.hasOwn(STATUS, type) ? STATUS[type] : 500;
}

/** The type of handler error that an HTTP status stands for; `undefined` where it stands for none. */
export function typeOfStatus(status: number): HandlerErrorType | undefined {
  return (Object.keys(STATUS) as HandlerErrorType[]).find((type) => STATUS[type] === status);
}
