import { DefaultFailureConverter } from '@temporalio/common';

/** Moves messages and stack traces of failures to where codecs reach them. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
