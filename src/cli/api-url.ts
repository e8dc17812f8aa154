import { ManagementCommandError } from './management-command-error.ts';

/** Where `nexus-lambda dev` listens by default. */
export const DEV_URL = 'http://127.0.0.1:9233';

/**
 * Origin and prefix of an API, without a slash at the end: `https://host/prod`. The base URL of an endpoint is taken, too.
 *
 * @throws ManagementCommandError that never quotes the URL: there may be a password in it.
 */
export function parseApiUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ManagementCommandError(`--url takes the URL of an API, or of the dev server: ${DEV_URL}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ManagementCommandError(
      'leave user and password out of --url: operations are managed with an AWS signature',
    );
  }
  return url.origin + url.pathname.replace(/\/nexus(?:\/.*)?$/s, '').replace(/\/+$/, '');
}
