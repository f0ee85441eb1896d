// Packages that dockerode loads and no app uses: engines over ssh, and BuildKit. They made up half of the worker's
// code and 16 MiB of its memory.
export const LEFT_OUT = ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];
