/** The package's entry: what the API and the workers agree on. It imports no other package of this repository. */
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
