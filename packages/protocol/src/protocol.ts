/**
 * What widget and worker agree on: the routes' bodies and the broker's messages. Nothing else of ours is
 * imported here.
 */
export {
  MODES,
  RunProgramRequest,
  RunProgramAnswer,
  CheckOutputRequest,
  CheckOutputAnswer,
  DownloadRequest,
  ErrorAnswer,
  LabVerdict,
  OutputItem,
} from './http.js';
export type { Mode, LabCaseVerdict, TaskState } from './http.js';
export {
  MESSAGE_VERSION,
  TaskMessage,
  OutputMessage,
  FinalMessage,
  RestartMessage,
  AttemptNote,
  ReplyMessage,
  encodeMessage,
  decodeTaskMessage,
  decodeReplyMessage,
  decodeAttemptNote,
} from './messages.js';
