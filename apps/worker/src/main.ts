/** The worker process. */
import { startWorker } from './worker.js';

await startWorker(process.env);
