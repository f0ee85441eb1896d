/**
 * Headers and reserved names that cacheable C and C++ may use. Other names may be macros that paste, quote, or reach
 * the assembler.
 */

/** Headers of C, C++, POSIX and Linux, without their ending. */
const HEADERS = `
  assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
  stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
  aio alloca argp arpa/inet cpio dirent dlfcn endian err error execinfo fcntl features fmtmsg fnmatch ftw
  getopt glob grp iconv ifaddrs langinfo libgen libintl link malloc mcheck memory monetary mqueue net/if
  netdb netinet/in netinet/ip netinet/tcp netinet/udp nl_types poll pthread pty pwd regex sched search
  semaphore spawn strings sys/epoll sys/eventfd sys/file sys/inotify sys/ioctl sys/ipc sys/mman sys/mount
  sys/msg sys/param sys/poll sys/prctl sys/ptrace sys/random sys/resource sys/select sys/sem sys/sendfile
  sys/shm sys/signal sys/signalfd sys/socket sys/stat sys/statvfs sys/syscall sys/sysinfo sys/time
  sys/timerfd sys/times sys/types sys/ucontext sys/uio sys/un sys/utsname sys/wait syscall sysexits syslog
  termios ucontext ulimit unistd utime utmp utmpx values wait wordexp
  bits/stdc++ cxxabi`;

export const SYSTEM_HEADERS: ReadonlySet<string> = new Set(
  HEADERS.trim()
    .split(/\s+/)
    .map((name) => `${name}.h`),
);
/** C++'s own headers, which have no ending. All of them are allowed. */
export const CPP_HEADER = /^[a-z]\w*$/;

/** Alternatives of a regular expression. Programs define these names to choose what headers declare. */
export const DEFINABLE_NAMES = [
  '_(?:[A-Z0-9_]+_SOURCE|XOPEN_SOURCE_EXTENDED|FILE_OFFSET_BITS|TIME_BITS|REENTRANT)',
  '__STDC_(?:FORMAT_MACROS|LIMIT_MACROS|CONSTANT_MACROS|WANT_\\w+)',
  '_(?:CRT|WINSOCK|WIN32|USE_MATH|UNICODE)\\w*',
  // Include guards.
  '_*[A-Z][A-Z0-9_]*_(?:H|HH|HPP|HXX|INCLUDED|GUARD)_*',
].join('|');

/** Alternatives of a regular expression. Names with `__`, or `_` and a capital letter, that a program may use. */
export const RESERVED_NAMES = [
  DEFINABLE_NAMES,
  '__(?:func|FUNCTION|PRETTY_FUNCTION|FILE|LINE|COUNTER|VA_ARGS|VA_OPT)__',
  '_(?:Alignas|Alignof|Atomic|BitInt|Bool|Complex|Decimal\\d+|Exit|Float\\d+x?|Generic|Imaginary|Noreturn|Static_assert|Thread_local)',
  '__(?:alignof|auto_type|complex|const|extension|float128|float80|func|imag|inline|int128|label|null|real|restrict|signed|thread|typeof|volatile)(?:__)?',
  '__u?int\\d+(?:_t)?',
  '__(?:builtin|sync|atomic|ATOMIC)_\\w+',
  // Predefined by the compiler, for the language and the target.
  '__(?:cplusplus|cpp_\\w+|STDC\\w*|GNUC\\w*|GNUG__|GLIBC(?:_MINOR)?__|VERSION__|OPTIMIZE\\w*|NO_INLINE__|EXCEPTIONS|GXX_\\w+)',
  '__(?:clang|CYGWIN|MINGW\\d+|APPLE|MACH|ANDROID|FreeBSD|NetBSD|OpenBSD|EMSCRIPTEN|INTEL_COMPILER|TURBOC)_*',
  '__(?:gnu_linux|linux|unix|ELF|x86_64|amd64|i386|aarch64|arm|riscv|powerpc|powerpc64|LP64)_*',
  '__(?:SIZEOF|BYTE|FLOAT|ORDER|INT|UINT|INTMAX|SIZE|PTRDIFF|WCHAR|CHAR|SCHAR|SHRT|LONG|FLT|DBL|LDBL)\\w*__',
  '__(?:SSE|AVX|MMX|FMA|BMI|POPCNT|ARM_)\\w*',
  '_(?:POSIX_\\w+|XOPEN_\\w+|SC_\\w+|PC_\\w+|CS_\\w+|IO[FLN]BF|LP64|OPENMP|WIN64|MSC_VER)',
  '__(?:gnu_cxx|gnu_pbds|cxxabiv1|cxa_demangle|gcd|lg)',
].join('|');
