import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from './errors.ts';

/** An entry is written by its deploy and, now and then, by a person: more changes than these in a row are neither's. */
const MAX_ATTEMPTS = 5;

/** Runs a read of an endpoint and the write that follows from it, again where somebody else wrote in between. */
export async function untilUncontended<T>(readAndWrite: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readAndWrite();
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isContention(error)) throw error;
    }
  }
}

function isContention(error: unknown): boolean {
  return [EndpointExistsError, EndpointNotFoundError, EndpointVersionError].some((type) => error instanceof type);
}
