/** The Fastify app without its network. main.ts listens with it; tests inject requests. */
import { METHODS } from 'node:http';

import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { ReplyReader, TaskPublisher } from '@code-widgets/broker';
import type { ProjectOptions } from '@code-widgets/project';
import fastify, { LogController, type FastifyBaseLogger, type HTTPMethods } from 'fastify';

import type { App } from './app-type.js';
import { acceptOnlyJson } from './body.js';
import { BytesUnderWay, UNREAD_BYTES } from './bytes-under-way.js';
import { trustProxies } from './client-address.js';
import { errorHandler } from './errors.js';

import { PollThrottle } from './poll-throttle.js';
import { ANSWER_HEADERS, protect } from './protection.js';
import { checkOutputRoute } from './routes/check-output.js';
import { downloadRoute } from './routes/download.js';
import { healthRoute } from './routes/health.js';
import { runProgramRoute } from './routes/run-program.js';
import { answerClientError, guardServer, SERVER_LIMITS, serverOptions, type ServerLimits } from './server.js';
import { ThroughputEstimator } from './throughput.js';
import { UnknownTasks } from './unknown-tasks.js';
import { WaitingTasks } from './waiting-tasks.js';

const IDLE_CHECK_MS = 50;
/** Node does not pass CONNECT to the app. */
const EVERY_METHOD = METHODS.filter((method) => method !== 'CONNECT');

export interface AppDependencies {
  tasks: TaskPublisher;
  replies: ReplyReader;
  log: FastifyBaseLogger;
  bodyLimitBytes: number;
  projectOptions: ProjectOptions;
  /** Of one client; 0 for no limit. */
  runsPerMinute: number;
  /** Of one client; 0 for no limit. */
  waitingTasksOfClient: number;
  /** Timeout of a long poll, in ms. 0 disables long polls and delays. */
  pollWaitMs: number;
  trustedProxies: number;
  serverLimits?: Partial<ServerLimits>;
}

export async function buildApp(dependencies: AppDependencies): Promise<App> {
  const {
    tasks,
    replies,
    log,
    bodyLimitBytes,
    projectOptions,
    runsPerMinute,
    waitingTasksOfClient,
    pollWaitMs,
    trustedProxies,
  } = dependencies;
  const serverLimits = { ...SERVER_LIMITS, ...dependencies.serverLimits };
  const throughput = new ThroughputEstimator();
  const waiting = new WaitingTasks(waitingTasksOfClient, () => tasks.load());
  const unknown = new UnknownTasks();
  const answerError = errorHandler(throughput, () => tasks.load());
  const app = fastify({
    loggerInstance: log,
    // A page polls four times a second. A log line for each request would bury the others.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    ...serverOptions(serverLimits),
    clientErrorHandler: answerClientError,
    // For a request that reaches no route and no plugin, so its answer gets its headers here.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply.headers(ANSWER_HEADERS)),
    trustProxy: trustProxies(trustedProxies),
    // While the app closes, requests on open connections are answered as usual.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    // Values that do not fit are refused, not converted. lenience.ts has made the allowed conversions.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  guardServer(app.server, serverLimits, log);
  acceptOnlyJson(app);
  app.setErrorHandler(answerError);
  await app.register(cors, {
    // All origins are allowed. The answer repeats the origin, as it always did; without one it has `*`.
    origin: (origin, done) => done(null, origin || '*'),
    methods: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
    strictPreflight: false,
    preflightContinue: true,
  });
  await protect(app, { runsPerMinute });

  // Before the body is read, so that a body of any type gets this answer. After the CORS plugin has set its headers.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) await reply.code(404).send({ error: 'Not Found', message: 'There is nothing at this address.' });
  });
  closeIdleConnections(app);

  // Fastify would answer 404, not 405, to a method that it does not know.
  for (const method of EVERY_METHOD.filter((each) => !app.supportedMethods.includes(each))) app.addHttpMethod(method);
  healthRoute(app);
  runProgramRoute(app, { tasks, waiting, unknown, projectOptions });
  checkOutputRoute(app, {
    replies,
    throttle: new PollThrottle(pollWaitMs),
    throughput,
    waiting,
    unknown,
    unread: new BytesUnderWay(UNREAD_BYTES),
  });
  downloadRoute(app, projectOptions);

  answerOtherMethods(app, '/', ['GET', 'HEAD', 'OPTIONS']);
  for (const path of ['/run_program/', '/check_output/', '/download/'])
    answerOtherMethods(app, path, ['OPTIONS', 'POST']);
  return app;
}

/** While the app closes, closes idle connections, so that a client that keeps one open does not delay the shutdown. */
function closeIdleConnections(app: App): void {
  app.addHook('preClose', (done) => {
    const timer = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
    app.server.once('close', () => clearInterval(timer));
    done();
  });
}

/** Answers OPTIONS (the CORS plugin adds preflight headers), and 405 to methods that the path does not have. */
function answerOtherMethods(app: App, url: string, allowed: HTTPMethods[]): void {
  const allow = allowed.join(', ');
  app.options(url, (_, reply) => reply.header('allow', allow).type('text/html; charset=utf-8').send(''));
  app.route({
    method: EVERY_METHOD.filter((method) => !allowed.includes(method)),
    url,
    // Before the body is read, so that a body of any type gets this answer.
    onRequest: async (_, reply) => {
      reply.code(405).header('allow', allow);
      await reply.send({ error: 'Method Not Allowed', message: `This address takes ${allow}.` });
    },
    handler: () => undefined,
  });
}
