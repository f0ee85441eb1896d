/** The Fastify app without its network: what main.ts listens with and tests inject into. */
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { ReplyReader, TaskPublisher } from '@code-widgets/broker';
import type { RequestLimits } from '@code-widgets/project';
import fastify, { LogController, type FastifyBaseLogger, type HTTPMethods } from 'fastify';

import type { App } from './app-type.js';
import { errorHandler } from './errors.js';
import { Pace } from './pace.js';
import { checkOutputRoute } from './routes/check-output.js';
import { downloadRoute } from './routes/download.js';
import { healthRoute } from './routes/health.js';
import { runProgramRoute } from './routes/run-program.js';

/** The whole of a request must have come within this time. */
const REQUEST_TIMEOUT_MS = 30_000;
/** A client that neither sends nor reads for so long is cut off: what it does not take is held in memory. */
const CONNECTION_TIMEOUT_MS = 60_000;
const IDLE_CHECK_MS = 50;

export interface AppDependencies {
  tasks: TaskPublisher;
  replies: ReplyReader;
  log: FastifyBaseLogger;
  bodyLimitBytes: number;
  limits: RequestLimits;
}

export async function buildApp({ tasks, replies, log, bodyLimitBytes, limits }: AppDependencies): Promise<App> {
  const app = fastify({
    loggerInstance: log,
    // A page polls four times a second: a line for each request would bury the others.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    // While it closes, what comes on a connection that is still open is answered like the rest.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    // What does not fit is refused, never bent until it fits.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  // Only JSON is a body; what is not declared as JSON is not guessed at.
  app.removeContentTypeParser('text/plain');

  const pace = new Pace();
  app.setErrorHandler(errorHandler(async () => pace.retryAfterSeconds(await tasks.load())));
  await app.register(cors, {
    // Open to every origin; named back, as the pages have always seen it.
    origin: (origin, done) => done(null, origin ?? '*'),
    methods: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
    strictPreflight: false,
    preflightContinue: true,
  });

  // Before the body is read, which may be of any kind; after the CORS headers are there.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) await reply.code(404).send({ error: 'Not Found', message: 'There is nothing at this address.' });
  });
  closeIdleConnections(app);

  healthRoute(app);
  runProgramRoute(app, tasks, limits);
  checkOutputRoute(app, replies, pace);
  downloadRoute(app, limits);

  answerOtherMethods(app, '/', ['GET', 'HEAD', 'OPTIONS']);
  for (const path of ['/run_program/', '/check_output/', '/download/']) answerOtherMethods(app, path, ['OPTIONS', 'POST']);
  return app;
}

/** While the app closes: a client that keeps its connection for a next request must not hold it up. */
function closeIdleConnections(app: App): void {
  app.addHook('preClose', (done) => {
    const timer = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
    app.server.once('close', () => clearInterval(timer));
    done();
  });
}

/** OPTIONS (the preflight, whose headers are the CORS plugin's) and 405 for the methods that a path does not have. */
function answerOtherMethods(app: App, url: string, allowed: HTTPMethods[]): void {
  const allow = allowed.join(', ');
  app.options(url, (_, reply) => reply.header('allow', allow).type('text/html; charset=utf-8').send(''));
  app.route({
    method: (['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).filter((method) => !allowed.includes(method)),
    url,
    // Before the body is read, which may be of any kind.
    onRequest: async (_, reply) => {
      reply.code(405).header('allow', allow);
      await reply.send({ error: 'Method Not Allowed', message: `This address takes ${allow}.` });
    },
    handler: () => undefined,
  });
}
