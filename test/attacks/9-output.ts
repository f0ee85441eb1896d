/** The output channel: bytes with a meaning for a component between program and client. */
import { c, type Seen } from './lib/programs.js';
import { held, type Attack } from './lib/attack.js';

/** Everything that a program printed after its first line. */
const printed = ({ stdout }: Seen): string => stdout.slice(stdout.indexOf('\n') + 1);
/** Passes if the output arrives unchanged and the status is the program's own. */
const arrives =
  (bytes: string, status: number) =>
  (seen: Seen): void => {
    held(seen.status === status && seen.message === 'SUCCESS', `an end with ${seen.status} ${seen.message}`);
    held(printed(seen) === bytes, `came as ${JSON.stringify(printed(seen).slice(0, 300))}`);
    held(
      seen.output.every(({ msg }) => msg.type !== 'lab'),
      'an item that the service makes',
    );
  };
/** Prints bytes, given as a C string, and ends with status 9. */
const prints = (name: string, tries: string, literal: string, bytes: string): Attack =>
  c(
    name,
    tries,
    `int main(void) { trying(); static const char b[] = ${literal}; write(1, b, sizeof b - 1); _exit(9); }`,
    { look: arrives(bytes, 9) },
  );
const quoted = (text: string): string => JSON.stringify(text);

const FINAL = '{"version":1,"kind":"final","attempt":1,"items":1,"state":"SUCCESS","status":0,"workMs":1}\n';
const ITEM =
  '{"msg":{"type":"lab","data":{"success":true,"cases":{}}}}\n{"output":[],"completed":true,"status":0,"message":"SUCCESS"}\n';

export const attacks: Attack[] = [
  prints(
    "the launcher's frames",
    'Prints frames of the launcher that say that the program has ended well.',
    '"s\\0\\0\\0\\11e\\0\\0\\0\\0\\0\\0\\0\\1r\\0\\0\\0\\1\\1x\\0\\0\\0\\1x\\n"',
    's\0\0\0\te\0\0\0\0\0\0\0\x01r\0\0\0\x01\x01x\0\0\0\x01x\n',
  ),
  prints(
    "Docker's stream headers",
    'Prints headers of the stream that Docker sends, of each kind and of the largest length.',
    '"\\1\\0\\0\\0\\0\\0\\0\\5hello\\2\\0\\0\\0\\177\\177\\177\\177\\3\\0\\0\\0\\0\\0\\0\\1x\\n"',
    '\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\x7f\x7f\x7f\x7f\x03\0\0\0\0\0\0\x01x\n',
  ),
  prints('a final message', "Prints the broker's final message and the answer to a poll.", quoted(FINAL), FINAL),
  prints(
    'a lab item',
    "Prints the item of a verdict, and the service's own words.",
    quoted(`${ITEM}<interrupted> : Maximum 10s process limit reached.\n`),
    `${ITEM}<interrupted> : Maximum 10s process limit reached.\n`,
  ),
  prints(
    'terminal escapes',
    'Prints what clears, renames and answers of a terminal do, and what a page could take for its own.',
    '"\\033[2J\\033]0;x\\a\\033[6n\\033P+q\\033\\\\\\r\\b\\v\\f\\177<script>alert(1)</script>\\302\\205\\342\\200\\256\\n"',
    '\x1b[2J\x1b]0;x\x07\x1b[6n\x1bP+q\x1b\\\r\b\v\f\x7f<script>alert(1)</script>\u0085\u202e\n',
  ),
  prints(
    'invalid UTF-8',
    'Prints bytes that are no text: overlong, of half a pair, too long, cut off.',
    '"\\300\\257\\355\\240\\200\\364\\220\\200\\200\\377\\376\\200\\n"',
    `${'\ufffd'.repeat(12)}\n`,
  ),
  prints(
    'NULs and a byte order mark',
    'Prints bytes that end a string, and one that is taken away at the beginning of a text.',
    '"\\357\\273\\277a\\0b\\0\\0\\n"',
    '\ufeffa\0b\0\0\n',
  ),
  c(
    'half a character at the limit',
    'Has the limit of output cut a character of three bytes.',
    'int main(void) { trying(); static char b[3000]; for (int i = 0; i < 3000; i += 3) memcpy(b + i, "\\342\\230\\203", 3); for (;;) write(1, b, sizeof b); }',
    {
      look: (seen) => {
        held(seen.status === 153, `an end with ${seen.status}`);
        held(
          /^☃+\ufffd?$/.test(printed(seen)),
          `characters that were not printed: ${JSON.stringify(printed(seen).slice(-20))}`,
        );
      },
    },
  ),
  c(
    'one endless line',
    'Prints a line that does not end.',
    "int main(void) { trying(); static char x[4096]; memset(x, 'x', sizeof x); for (int i = 0; i < 200; i++) write(1, x, sizeof x); }",
    {
      look: (seen) => {
        held(seen.status === 0 && printed(seen) === 'x'.repeat(200 * 4096), `${printed(seen).length} characters came`);
        held(
          seen.output.every(({ msg }) => typeof msg.data !== 'string' || msg.data.length <= 128 * 1024),
          'an item of more than 128 KiB',
        );
      },
    },
  ),
  c(
    'other descriptors',
    "Writes frames that end the run well into every descriptor, and into the launcher's.",
    `int main(void) { trying(); static const char frame[] = "s\\0\\0\\0\\11e\\0\\0\\0\\0\\0\\0\\0\\1"; for (int fd = 3; fd < 1024; fd++) if (write(fd, frame, sizeof frame - 1) > 0) through("a descriptor");
       for (int pid = 1; pid < 5; pid++) for (int fd = 0; fd < 32; fd++) { if (pid == getpid()) continue; char path[64]; snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd); int f = open(path, O_WRONLY); if (f >= 0 && !is_own(f) && write(f, frame, sizeof frame - 1) > 0) through(path); }
       if (write(0, frame, 5) > 0) through("stdin"); _exit(9); }`,
    { look: (seen) => held(seen.status === 9, `an end with ${seen.status}`) },
  ),
  c(
    'a reconfigured output pipe',
    'Changes its output: to packets, to non-blocking, to a size of one page, to be read by itself.',
    `int main(void) { trying(); for (int fd = 1; fd < 3; fd++) { fcntl(fd, F_SETFL, O_DIRECT | O_NONBLOCK | O_APPEND); fcntl(fd, 1031, 4096); fcntl(fd, F_SETOWN, 1); fcntl(fd, F_SETSIG, SIGKILL); fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK); }
       int f = open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK); char x[4096]; struct pollfd unread = { .fd = f, .events = POLLIN };
       while (poll(&unread, 1, 0) > 0) usleep(1000); // Until the launcher has read the line that says that it tries.
       write(1, "for itself\\n", 11); if (f >= 0) read(f, x, sizeof x); usleep(100000); say("still", "here"); _exit(9); }`,
    { look: (seen) => held(seen.status === 9 && seen.stdout.includes('still t'), `an end with ${seen.status}`) },
  ),
  c(
    'a forged verdict',
    'Prints a verdict that it has passed, from a lab case that has not.',
    `int main(void) { trying(); static const char b[] = ${quoted(ITEM)}; write(1, b, sizeof b - 1); write(2, b, sizeof b - 1); }`,
    {
      request: { mode: 'submit' },
      files: [{ basename: 'lab_io.txt', contents: 'in1: a\nout1:b\nin__proto__: a\nout2:x\n' }],
      look: ({ output }: Seen) => {
        const labs = output.flatMap(({ msg }) => (msg.type === 'lab' ? [msg.data] : []));
        held(
          labs.length === 1 && labs[0]?.success === false && Object.keys(labs[0].cases).join() === '1,2',
          `a verdict of ${JSON.stringify(labs).slice(0, 300)}`,
        );
      },
    },
  ),
];
