/** The measured programs; a new `mark` makes the sources new. */
import { randomUUID } from 'node:crypto';

import type { RunRequest } from '../test/helpers/client.js';

export type Program = (mark?: string) => RunRequest;

const file = (basename: string, contents: string) => ({ basename, contents });

export const hello: Program = (mark = randomUUID()) => ({
  mode: 'run',
  files: [
    file(
      'main.adb',
      `with Ada.Text_IO; use Ada.Text_IO;\n\nprocedure Main is\nbegin\n   Put_Line ("Hello, ${mark}");\nend Main;\n`,
    ),
  ],
});

export const c: Program = (mark = randomUUID()) => ({
  mode: 'run',
  files: [file('main.c', `#include <stdio.h>\n\nint main(void) {\n  puts("Hello, ${mark}");\n  return 0;\n}\n`)],
});

export const cpp: Program = (mark = randomUUID()) => ({
  mode: 'run',
  files: [
    file(
      'main.cpp',
      `#include <iostream>\n#include <string>\n#include <vector>\n\nint main() {\n  std::vector<std::string> words{"Hello,", "${mark}"};\n  for (const auto &word : words) std::cout << word << '\\n';\n}\n`,
    ),
  ],
});

/** Ada with 12 units: the main program and eleven package bodies. */
export const packages: Program = (mark = randomUUID()) => {
  const names = Array.from({ length: 11 }, (_, i) => `Part_${i + 1}`);
  const units = names.flatMap((name, i) => [
    file(
      `${name.toLowerCase()}.ads`,
      `package ${name} is\n   function Next (X : Integer) return Integer;\nend ${name};\n`,
    ),
    file(
      `${name.toLowerCase()}.adb`,
      `package body ${name} is\n   --  ${mark}\n   function Next (X : Integer) return Integer is (X + ${i});\nend ${name};\n`,
    ),
  ]);
  const calls = names.reduce((inner, name) => `${name}.Next (${inner})`, '1');
  const withs = names.map((name) => `with ${name};\n`).join('');
  const main = `with Ada.Text_IO;\n${withs}\nprocedure Main is\nbegin\n   Ada.Text_IO.Put_Line ("${mark}" & Integer'Image (${calls}));\nend Main;\n`;
  return { mode: 'run', files: [file('main.adb', main), ...units], main: 'main.adb' };
};

export const compileError: Program = (mark = randomUUID()) => ({
  mode: 'run',
  files: [
    file(
      'main.adb',
      `with Ada.Text_IO; use Ada.Text_IO;\n\nprocedure Main is\nbegin\n   Put_Line ("Hello, ${mark}")\nend Main;\n`,
    ),
  ],
});

export const LAB_CASES = 8;

export const lab: Program = (mark = randomUUID()) => {
  const echo = `with Ada.Command_Line; with Ada.Text_IO;\n\nprocedure Main is\n   --  ${mark}\nbegin\n   Ada.Text_IO.Put_Line (Ada.Command_Line.Argument (1));\nend Main;\n`;
  const cases = Array.from({ length: LAB_CASES }, (_, i) => `in${i}: ${i}\nout${i}: ${i}\n`).join('');
  return { mode: 'submit', lab: true, files: [file('main.adb', echo), file('lab_io.txt', cases)] };
};

/** 20,000 lines, a little less than 1 MiB. */
export const output: Program = (mark = randomUUID()) => ({
  mode: 'run',
  files: [
    file(
      'main.c',
      `/* ${mark} */\n#include <stdio.h>\n\nint main(void) {\n  for (int i = 0; i < 20000; i++) printf("%05d %s\\n", i, "0123456789012345678901234567890123456789012345");\n  return 0;\n}\n`,
    ),
  ],
});

export const proof: Program = (mark = randomUUID()) => ({
  mode: 'prove',
  files: [file('main.adb', `procedure Main with SPARK_Mode is\n   --  ${mark}\nbegin\n   null;\nend Main;\n`)],
});
