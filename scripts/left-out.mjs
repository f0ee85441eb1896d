/**
 * What dockerode loads for ways that no app takes: an engine reached by ssh, and BuildKit. It was half
 * of the worker's code, and had 16 MiB of its memory before anything was asked of it. In no bundle, so
 * in no image's list of what is in it either.
 */
export const LEFT_OUT = ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];
