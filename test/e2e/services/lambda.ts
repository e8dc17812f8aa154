import { createServiceHandler } from 'nexus-lambda';
import { temporal } from 'nexus-lambda/temporal';
import { echoHandler } from './echo.ts';

/** As a Lambda entry point exports it, with a Temporal side of its own. */
export const handler = createServiceHandler({ services: [echoHandler], temporal: temporal() });
