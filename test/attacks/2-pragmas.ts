/** Circumvents main.adc: Ada programs that call code outside the project, or contain machine code. */
import { ada, adaMain, type ProgramOptions } from './lib/programs.js';
import type { Attack } from './lib/attack.js';

/** Prints a message in the child process; output of it proves that the Ada program has forked. */
const CHILD = `   if Pid = 0 then
      Put_Line ("through " & Argument (1));
      Flush;
      delay 0.3;
      raise Program_Error;
   end if;
   delay 0.5;`;
const forking = (declarations: string, withs = '') =>
  adaMain(`   Pid := Fork;\n${CHILD}`, `   Pid : Integer;\n${declarations}`, withs);
const GLUE = `#define _GNU_SOURCE
#include <unistd.h>
#include <sys/syscall.h>
extern int (*slot)(void);
static int ours(void) { return syscall(SYS_clone, 17, 0, 0, 0, 0); }
/* From a thread, since the Ada part clears the slot when it is elaborated. */
#include <pthread.h>
static void *fill(void *x) { for (int i = 0; i < 2000; i++) { slot = ours; usleep(100); } return x; }
__attribute__((constructor)) static void begin(void) { pthread_t t; pthread_create(&t, 0, fill, 0); }
`;

/** Contains x86_64 machine code for fork. */
const X86: ProgramOptions = { architecture: 'x64' };

export const attacks: Attack[] = [
  ada(
    'pragma Import',
    'Imports fork from the C library.',
    forking('   function Fork return Integer; pragma Import (C, Fork, "fork");'),
    { at: 'refusal' },
  ),
  ada(
    'pragma Interface',
    'Imports fork by the older pragma, and gives it its name by Interface_Name.',
    forking('   function Fork return Integer; pragma Interface (C, Fork); pragma Interface_Name (Fork, "fork");'),
    { at: 'refusal' },
  ),
  ada(
    'Import as an aspect',
    'Imports fork by an aspect in place of a pragma.',
    forking('   function Fork return Integer with Import, Convention => C, External_Name => "fork";'),
    { at: 'refusal' },
  ),
  ada(
    'Import_Function',
    "Imports fork by GNAT's own pragmas of DEC's time.",
    forking(
      '   function Fork return Integer; pragma Import_Function (Fork, "fork");\n   function Fork return Integer is (0);',
    ),
    { at: 'build' },
  ),
  ada(
    'Export over a name',
    'Exports a function under the name of one that the run-time library calls, which then runs its code.',
    () => [
      { basename: 'main.adb', contents: adaMain("   Put_Line (Mine.Getpid'Img);", '', 'with Mine;') },
      {
        basename: 'mine.ads',
        contents:
          'package Mine is\n   function Getpid return Integer with Export, Convention => C, External_Name => "execve";\nend Mine;\n',
      },
      {
        basename: 'mine.adb',
        contents: 'package body Mine is\n   function Getpid return Integer is (1);\nend Mine;\n',
      },
    ],
  ),
  ada(
    'Machine_Code',
    'Writes the system call in assembler by System.Machine_Code.',
    forking(
      `   function Fork return Integer is
      R : Integer;
   begin
      System.Machine_Code.Asm ("syscall", Outputs => Integer'Asm_Output ("=a", R), Inputs => Integer'Asm_Input ("a", 57), Volatile => True);
      return R;
   end Fork;`,
      'with System.Machine_Code;',
    ),
    { at: 'refusal' },
  ),
  ada(
    'Machine_Code by another name',
    'Renames the package of machine code in a unit of its own, so that no main unit names it.',
    () => [
      { basename: 'main.adb', contents: forking('   function Fork return Integer renames Other.Fork;', 'with Other;') },
      {
        basename: 'other.ads',
        contents:
          'with Machine_Code;\npackage Other is\n   package M renames Machine_Code;\n   function Fork return Integer;\nend Other;\n',
      },
      {
        basename: 'other.adb',
        contents: `package body Other is
   function Fork return Integer is R : Integer; begin
      M.Asm ("syscall", Outputs => Integer'Asm_Output ("=a", R), Inputs => Integer'Asm_Input ("a", 57), Volatile => True);
      return R; end Fork;
end Other;\n`,
      },
    ],
    { at: 'refusal' },
  ),
  ada(
    'Linker_Section',
    'Puts bytes of fork into the section of code and calls them by their address.',
    () => [
      { basename: 'main.adb', contents: forking('   function Fork return Integer renames Code.Fork;', 'with Code;') },
      { basename: 'code.ads', contents: 'package Code is\n   function Fork return Integer;\nend Code;\n' },
      {
        basename: 'code.adb',
        contents: `with System; with Interfaces; with Ada.Unchecked_Conversion;
package body Code is
   type Bytes is array (1 .. 8) of Interfaces.Unsigned_8;
   Text : constant Bytes := (16#B8#, 57, 0, 0, 0, 16#0F#, 5, 16#C3#) with Linker_Section => ".text";
   type Call is access function return Integer with Convention => C;
   function To_Call is new Ada.Unchecked_Conversion (System.Address, Call);
   function Fork return Integer is (To_Call (Text'Address).all);
end Code;\n`,
      },
    ],
    X86,
  ),
  ada(
    'Linker_Options',
    "Names the loader's options: an entry point of its own, no preloaded library, a library from a path.",
    `pragma Linker_Options ("-Wl,-e,main"); pragma Linker_Options ("-static");\n${forking('   function Fork return Integer is (-1);')}`,
    { at: 'linker' },
  ),
  ada(
    'a C file beside it',
    'Gets a system call from a C file, through an access value that the Ada part exports.',
    () => [
      {
        basename: 'main.adb',
        contents: forking(
          '   function Fork return Integer is (if Slot.Ours = null then -1 else Slot.Ours.all);',
          'with Slot; use Slot;',
        ),
      },
      {
        basename: 'slot.ads',
        contents: `package Slot is
   type Call is access function return Integer with Convention => C;
   Ours : Call with Export, Convention => C, External_Name => "slot";
end Slot;\n`,
      },
      { basename: 'glue.c', contents: GLUE },
    ],
  ),
  ada('a C constructor beside it', 'Has a C file fork before the Ada program begins.', (_, token) => [
    { basename: 'main.adb', contents: adaMain('   null;') },
    {
      basename: 'early.c',
      contents: `#define _GNU_SOURCE
#include <unistd.h>
#include <sys/syscall.h>
__attribute__((constructor)) static void early(void) { if (syscall(SYS_clone, 17, 0, 0, 0, 0) == 0) { write(1, "through ${token}\\n", ${token.length + 9}); usleep(300000); _exit(0); } usleep(350000); }
`,
    },
  ]),
  ada(
    'an executable stack',
    'Calls bytes in an array on the stack, which the address of a nested subprogram makes executable.',
    forking(
      `   type Bytes is array (1 .. 8) of Interfaces.Unsigned_8;
   Code : Bytes := (16#B8#, 57, 0, 0, 0, 16#0F#, 5, 16#C3#) with Volatile;
   type Call is access function return Integer with Convention => C;
   function To_Call is new Ada.Unchecked_Conversion (System.Address, Call);
   function Fork return Integer is (To_Call (Code'Address).all);
   Nested : System.Address := Fork'Address with Volatile;`,
      'with System; with Interfaces; with Ada.Unchecked_Conversion;',
    ),
    X86,
  ),
  ada(
    '/proc/self/mem from Ada',
    'Writes the bytes of fork over a function of its own by Ada.Streams.Stream_IO.',
    () => [
      {
        basename: 'main.adb',
        contents: forking('   function Fork return Integer renames Code.Fork;', 'with Code;').replace(
          'Pid := Fork;',
          'Code.Prepare; Pid := Fork;',
        ),
      },
      {
        basename: 'code.ads',
        contents:
          'package Code is\n   function Fork return Integer with No_Inline;\n   procedure Prepare;\nend Code;\n',
      },
      {
        basename: 'code.adb',
        contents: `with System.Storage_Elements; use System.Storage_Elements; with Ada.Streams.Stream_IO; use Ada.Streams;
package body Code is
   function Fork return Integer is (-1);
   procedure Prepare is
      File : Stream_IO.File_Type;
      Bytes : constant Stream_Element_Array := (16#B8#, 57, 0, 0, 0, 16#0F#, 5, 16#C3#);
   begin
      Stream_IO.Open (File, Stream_IO.Out_File, "/proc/self/mem");
      Stream_IO.Write (File, Bytes, Stream_IO.Positive_Count (To_Integer (Fork'Address) + 1));
      Stream_IO.Close (File);
   exception
      when others => null;
   end Prepare;
end Code;\n`,
      },
    ],
    X86,
  ),
  ada(
    'its own pragmas',
    'Sends gnat.adc, main.adc and main.gpr that lift every restriction and name other switches.',
    forking('   function Fork return Integer; pragma Import (C, Fork, "fork");'),
    {
      at: 'refusal',
      files: [
        { basename: 'gnat.adc', contents: 'pragma Restrictions (No_Use_Of_Pragma => Pack);\n' },
        { basename: 'main.adc', contents: '' },
        {
          basename: 'main.gpr',
          contents:
            'project Main is\n   for Main use ("main.adb");\n   package Linker is for Default_Switches ("Ada") use ("-static"); end Linker;\nend Main;\n',
        },
      ],
    },
  ),
  ada(
    'a unit of the run-time library',
    'Sends its own System.OS_Lib and a child of System, which GNAT would compile as its own.',
    () => [
      {
        basename: 'main.adb',
        contents: forking('   function Fork return Integer renames System.Ours.Fork;', 'with System.Ours;'),
      },
      {
        basename: 's-ours.ads',
        contents:
          'package System.Ours is\n   function Fork return Integer with Import, Convention => C, External_Name => "fork";\nend System.Ours;\n',
      },
      {
        basename: 'system-ours.ads',
        contents:
          'package System.Ours is\n   function Fork return Integer with Import, Convention => C, External_Name => "fork";\nend System.Ours;\n',
      },
    ],
    { at: 'refusal' },
  ),
  ada(
    'a binding of the run-time library',
    "Starts itself through GNAT's own bindings, which are imported already.",
    adaMain(
      `   if Argument_Count = 2 then
      Put_Line ("through " & Argument (1));
      delay 0.3;
      return;
   end if;
   Put_Line (Boolean'Image (System.CRTL.popen (Command'Address, Mode'Address) /= System.Null_Address));
   delay 0.3;`,
      `   use type System.Address;
   Command : constant String := "./main x y" & Character'Val (0);
   Mode : constant String := "r" & Character'Val (0);`,
      'with System.CRTL;',
    ),
  ),
];
