/** The package's entry: the connection to RabbitMQ, the task queue, the reply queues. */
export { BrokerUnavailable, connectBroker } from './connection.js';
export type { Broker, BrokerSettings, Log } from './connection.js';
export { DeadLettersBusy, NotReplayable, replayTask, visitDeadLetters } from './dead-letters.js';
export type { DeadLetter } from './dead-letters.js';
export { ReplyQueueGone } from './queue-availability.js';
export type { Reply } from './reply-outline.js';
export type { ReplyPublisher } from './reply-publisher.js';
export { createReplyReader, ReplyQueueBusy } from './reply-reader.js';
export type { LongPoll, Reading, ReplyReader } from './reply-reader.js';
export { BROKER_SETTINGS } from './settings.js';
export { consumeTasks } from './task-consumer.js';
export type { Requeue, TaskConsumer, TaskDelivery, TaskOutcome } from './task-consumer.js';
export { createTaskPublisher, TaskQueueFull } from './task-publisher.js';
export type { TaskPublisher } from './task-publisher.js';
