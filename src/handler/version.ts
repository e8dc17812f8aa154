/** The version of this package. A bundle on Lambda has no package.json to read it from. */
export const VERSION = '0.1.0';
