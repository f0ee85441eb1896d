/** The worker process. */
import { answerVersion } from '@code-widgets/service';

import { startWorker } from './worker.js';

answerVersion('worker');
await startWorker(process.env);
