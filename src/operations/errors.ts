/** `create` or `update` was given a record that the store has no room for, now or ever. */
export class RecordTooLargeError extends Error {
  override readonly name = 'RecordTooLargeError';
  /** Size of the record as it would be stored. */
  readonly bytes: number;
  /** The most that the store takes. */
  readonly limit: number;

  constructor(bytes: number, limit: number, options?: ErrorOptions) {
    super(
      `the operation is too large to be stored: with all that is kept of it, it takes ${bytes} bytes, and the limit is ` +
        `${limit}; pass a reference to the data instead of the data`,
      options,
    );
    this.bytes = bytes;
    this.limit = limit;
  }
}
