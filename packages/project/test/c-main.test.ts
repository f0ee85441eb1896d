import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { anyCharacter } from '../../../test/lib/any-character.js';
import { definesMain } from '../src/c-main.js';

describe('a definition of main is found', () => {
  it.each([
    ['on one line', 'int main(void) { return 0; }'],
    ['that is indented', '  int main(void) {'],
    ['without a result', 'void main(){'],
    ['with parameters', 'int main(int argc, char *argv[], char **envp)\n{'],
    ['over several lines', 'int\nmain\n(\nint argc,\n         char **argv\n)\n{'],
    ['with tabs', 'int\tmain\f(void)\v{'],
    ['in GNU layout', 'int\nmain (void)\n{'],
    ['with comments between its parts', 'int/**/main /* the start\n of it */ (/* none */) // here\n{'],
    ['with a comment that looks like a string', '// it\'s "here\nint main(void) /* "{ */ {'],
    ['without a type', 'main() {'],
    ['with a signed result', 'signed main() {'],
    ['with an unusual result', 'long unsigned int main() {'],
    ['with a pointer as its result', 'char *main() {'],
    ['with a result of a struct', 'struct result { int x; } main() {'],
    ['with a trailing return type', 'auto main() -> int {'],
    ['with a long trailing return type', 'auto main() -> decltype(int{}) {'],
    ['with C linkage', 'extern "C" int main(void) {'],
    ['in a block of C linkage', 'extern "C" {\nint f(void) { return 1; }\nint main(void) {'],
    ['after a block of C linkage', 'extern "C" { void f(void); }\nint main(void) {'],
    ['in K&R style', 'main(argc, argv)\nint argc;\nchar **argv;\n{'],
    ['in K&R style with a type', 'int main(argc, argv) int argc; char *argv[]; {'],
    ['in K&R style with one declaration', 'int main(a, b) register int a, b; {'],
    ['with an attribute before it', '[[nodiscard]] int main() {'],
    ['with an attribute of its name', 'int main [[maybe_unused]] () {'],
    ['with a GNU attribute before it', '__attribute__((used)) int main(void) {'],
    ['with a GNU attribute in the middle', 'int __attribute__((used, section(".text"))) main(void) {'],
    ['with a macro before it', 'EXPORT int API main(void) {'],
    ['with a macro behind it', 'int main(void) NORETURN {'],
    ['with a macro call behind it', 'int main(void) DO_ALL(1, (2)) {'],
    ['after a macro call without a semicolon', 'REGISTER(main)\nint main(void) {'],
    ['with noexcept', 'int main() noexcept {'],
    ['with a condition in noexcept', 'int main() noexcept(noexcept(f())) {'],
    ['with a function try block', 'int main() try {\n} catch (...) {\n}'],
    ['with a function try block on its own line', 'int main(int, char**)\ntry\n{'],
    ['in parentheses', 'int (main)(void) {'],
    ['in two pairs of parentheses', 'int ((main)) (void) {'],
    ['with a name of a function as a parameter', 'int main(int argc, char *(argv[])) {'],
    ['with a lambda as a default', 'int main(int n = [] { return 1; }()) {'],
    ['with digraphs', '%:include <stdio.h>\nint main(void) <% return 0; %>'],
    ['behind a split line', 'int ma\\\nin(void) \\\n{'],
    ['behind a comment that a split line continues', '// comment \\\nint f() {\nint main(void) {'],
    ['after a prototype of it', 'int main(void);\nint main(void) {'],
    ['after a prototype and a variable', 'int main(void), x = 3;\nint main(void) {'],
    [
      'after functions, structs, arrays and enums',
      'struct s { int a[2]; };\nint a[] = { 1, 2 };\nenum { A };\nint f(void) { if (a[0]) { return 1; } return 0; }\nint main(void) {',
    ],
    ['after a static function', 'static int f(void) { return 1; }\nint main(void) {'],
    [
      'after a template and a namespace',
      'namespace n { int f() { return 1; } }\ntemplate <class T> T g(T t) { return t; }\nint main() {',
    ],
    ['after digit separators', "int n = 1'000'000; int m = 0xff'ff;\nint main() {"],
    ['after character constants', `char a = '"', b = '\\'', c = '{', d = '\\\\', e = L'(', f = u8'}';\nint main() {`],
    ['after strings', `char *a = "{", *b = "\\"{", *c = "it's", *d = L"(";\nint main() {`],
    ['after a raw string', 'auto s = R"(a " { )";\nint main() {'],
    ['after a raw string with a delimiter', 'auto s = u8R"x({ )" /* )x";\nint main() {'],
    ['after a string that has no end', 'char *s = "{\nint main() {'],
    ['after a macro with a brace', '#define BEGIN { \\\n  {\nint main(void) {'],
    ['after a directive with an apostrophe', "#error don't {\nint main(void) {"],
    ['after a directive with a comment over two lines', '#define X /* {\n{ */ {\nint main(void) {'],
    ['with Windows line ends', '#define X {\r\nint main(int argc,\r\n         char **argv)\r\n{\r\n'],
    ['with old Mac line ends', '#include <stdio.h>\r// comment\rint\rmain(void)\r{\r'],
    ['after a byte order mark', '\uFEFFint main(void) {'],
    ['after a directive behind a byte order mark', '\uFEFF#define X {\nint main(void) {'],
    ['among names beyond ASCII', 'int größe(void) { return 1; }\nint main(void) {'],
    ['without the definition of another function that was not closed in parentheses', 'int a(;\nint main(void) {'],
  ])('%s', (_, text) => {
    expect(definesMain(text)).toBe(true);
  });

  it.each([
    [
      'with a head for each case and one end',
      '#ifdef A\nint f(void) {\n#else\nint f(int x) {\n#endif\nreturn 1; }\nint main(void) {',
    ],
    ['with three heads', '#if A\nvoid f() { {\n#elif B\nvoid f() { {\n#else\nvoid f() { {\n#endif\n} }\nint main() {'],
    [
      'with a head of its own for each case',
      '#ifdef A\nint main(void)\n#else\nint main(int argc, char **argv)\n#endif\n{',
    ],
    ['with parameters for each case', 'int main\n#ifdef A\n(void)\n#else\n(int argc, char **argv)\n#endif\n{'],
    [
      'with another head in the other case',
      '#ifndef _WIN32\nint main(void)\n#else\nint WINAPI WinMain(int x)\n#endif\n{',
    ],
    [
      'with another head in the first case',
      '#ifdef _WIN32\nint WINAPI WinMain(int x)\n#else\nint main(void)\n#endif\n{',
    ],
    [
      'in the second of nested cases',
      '#if A\n#if B\nint f() {\n#else\nint f(int x) {\n#endif\n}\n#endif\nint main() {',
    ],
    ['for C++ alone', '#ifdef __cplusplus\nextern "C" {\n#endif\nint main(void) {\n}\n#ifdef __cplusplus\n}\n#endif\n'],
    ['after an inactive group', '#if 0\nint f() {\n"\n#endif\nint main() {'],
    ['in the alternative to an inactive group', '#if 0\n{\n#else\nint main() {\n#endif'],
    ['in an active group', '#if 1 // yes\nint main() {\n#else\n#endif'],
    ['in an active group after another case', '#if 0\n#elif 1\nint main() {\n#else\n#endif'],
    ['after nested inactive groups', '#if 0\n#if 1\n{\n#else\n{\n#endif\n{\n#endif\nint main() {'],
    ['after a surplus #endif', '#endif\n#else\nint main() {'],
  ])('among conditional groups: %s', (_, text) => {
    expect(definesMain(text)).toBe(true);
  });
});

describe('no definition of main is found:', () => {
  it.each([
    ['an empty file', ''],
    ['a prototype', 'int main(void);'],
    ['a prototype before another function', 'int main(void);\nint f(void) {'],
    ['a prototype with types alone', 'int main(int, char **);\nint f(x) int x; {'],
    ['a prototype with a type that looks like a K&R name', 'int main(args_t);\nint f(int x) {'],
    ['a prototype with an attribute', 'int main(args_t) __attribute__((noreturn));\nint f(int x) {'],
    ['a call', 'int f(void) { return main(); }'],
    ['a call in an initial value', 'int x = main();\nint f() {'],
    ['a call with a block behind it', 'void f(void) { main(); { } }'],
    ['another name', 'int mainly(void) { } int domain(void) { } int Main() { } int main_(void) { } int $main() { }'],
    ['a variable', 'int main;\nint f() {'],
    ['an array', 'int main[] = { 1 };'],
    ['a structure', 'struct main { int x; };'],
    ['a pointer to a function', 'int (*main)(void);\nint f() {'],
    ['a deleted function', 'int main() = delete; struct s {'],
    ['a parameter', 'int f(main) {'],
    ['a member', 'struct A { int main() { return 0; } };'],
    ['a member that is defined outside', 'int A::main() {'],
    ['in a namespace', 'namespace n { int main() { } }'],
    ['in a nameless namespace', 'namespace { int main() { } }'],
    ['in a namespace inside of a linkage block', 'extern "C++" { namespace n { int main() { } } }'],
    ['static', 'static int main(void) {'],
    ['static with an attribute', 'static __attribute__((used)) int main(void) {'],
    ['in a comment', '/* int main(void) { */'],
    ['in a comment of several lines', '/*\nint main(void) {\n*/'],
    ['in a comment without an end', 'int x; /*\nint main(void) {'],
    ['in a comment to the end of the line', '// int main(void) {'],
    ['in a comment that goes on in the next line', '// comment \\\nint main(void) {\n'],
    ['in a string', 'char *s = "\\\nint main(void) {";'],
    ['in a raw string', 'auto s = R"x(\nint main(void) {\n)" )x";'],
    ['in a raw string without an end', 'auto s = R"(\nint main(void) {\n'],
    ['in a macro', '#define main int main(void) {\n'],
    ['in a macro of several lines', '#define X \\\nint main(void) {\n'],
    ['in a macro behind digraphs', '%:define X int main(void) {\n'],
    ['in a message', '#error int main(void) {\n'],
    ['inactive', '#if 0\nint main(void) {\n}\n#endif'],
    ['inactive in parentheses', '# if (0) /* not now */\nint main(void) {\n#endif'],
    ['inactive by a word', '#if false\nint main() {\n#endif'],
    ['inactive in a nested case', '#if 0\n#ifdef A\n#else\nint main(void) {\n#endif\n#endif'],
    ['inactive in the alternative to an active group', '#if 1\n#else\nint main(void) {\n#endif'],
    ['inactive after an active group', '#if 1\n#elif X\nint main(void) {\n#else\nint main(void) {\n#endif'],
    ['inactive in a second case', '#if A\n#elif 0\nint main(void) {\n#endif'],
    ['without a body', 'int main(void)'],
    ['without parameters', 'int main {'],
    ['without the end of its parameters', 'int main(void {'],
    ['an expression', 'int main = (3); struct s {'],
  ])('%s', (_, text) => {
    expect(definesMain(text)).toBe(false);
  });
});

describe('the search for main', () => {
  it('finds a definition after any complete declarations', () => {
    const noise = fc.array(
      fc.constantFrom(
        'int main(',
        'int ',
        'main',
        ')',
        ' ',
        '[',
        '"',
        "'",
        'R"(',
        '#if X\n',
        '#else\n',
        '#endif\n',
        ';',
        '\n',
        'x',
      ),
    );
    fc.assert(
      fc.property(noise, noise, (before, after) => {
        // Ends any string, parenthesis and directive without starting another.
        const end = `\n)"\n;`;
        expect(definesMain(`${before.join('')}${end}\nint main(void) {${after.join('')}`)).toBe(true);
      }),
    );
  });

  it('accepts any text without an error', () => {
    fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => typeof definesMain(text) === 'boolean'));
  });

  // Without a clock: worse than linear time would exceed the test's timeout.
  it.each([
    ...[
      'int main(',
      'int main()\n',
      'main(a) int a;',
      '(',
      '{',
      '}',
      '"',
      "'",
      '\\',
      '\\ ',
      '\\\n',
      '/*',
      '/* ',
      '*/',
      '//',
      '\r',
    ],
    ...[
      'R"',
      'R"(',
      'R"x(',
      '#',
      '#if X\n',
      '#else\n',
      '#if X\nint main()\n#else\n',
      '#if 0\n',
      '#endif\n',
      ' ',
      'a',
      'a ',
      '1',
      "1'",
      '1e+',
      '<:',
      '::',
    ],
    ...['extern "C" {', 'int main(void) ', 'int main(a, ', '[[', 'é', '😀'],
  ])('takes linear time: %j', (piece) => {
    const length = 100_000;
    const hostile = piece.repeat(length / piece.length);
    expect(definesMain(hostile)).toBe(false);
    expect(definesMain(`int main(${hostile}`)).toBe(false);
    expect(definesMain(`#if X\n${hostile}`)).toBe(false);
  });
});
