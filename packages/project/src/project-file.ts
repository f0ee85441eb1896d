/** The text of main.gpr and main.adc, with which each project is built, proved and downloaded. */
import { kindOf } from './languages.js';
import type { Main } from './mains.js';
import type { SourceFile } from './source-file.js';
import type { SwitchPackage } from './switches.js';

export const PROJECT_FILE = 'main.gpr';
export const CONFIGURATION_PRAGMAS = 'main.adc';

/** In the order of the project file. `attributes` are statements after the switches. */
const PACKAGES: readonly {
  readonly name: SwitchPackage;
  readonly defaultSwitches: readonly string[];
  /** Used if the client sends an empty list. */
  readonly leastSwitches: readonly string[];
  readonly attributes: readonly string[];
}[] = [
  {
    name: 'Compiler',
    defaultSwitches: ['-g', '-O0', '-gnata', '-gnatwa'],
    leastSwitches: ['-g', '-O0'],
    attributes: [],
  },
  {
    name: 'Builder',
    defaultSwitches: ['-g'],
    leastSwitches: ['-g'],
    attributes: [`for Global_Configuration_Pragmas use ${literal(CONFIGURATION_PRAGMAS)};`],
  },
];

/** Keeps programs from importing code that was not sent. */
const RESTRICTIONS = [
  'No_Specification_of_Aspect => Import',
  'No_Use_Of_Pragma => Import',
  'No_Use_Of_Pragma => Interface',
  'No_Use_Of_Pragma => Linker_Options',
  'No_Dependence => System.Machine_Code',
  'No_Dependence => Machine_Code',
].map((restriction) => `pragma Restrictions (${restriction});`);

const PROVING = [
  'pragma Profile (GNAT_Extended_Ravenscar);',
  'pragma Partition_Elaboration_Policy (Sequential);',
  'pragma SPARK_Mode (On);',
  'pragma Warnings (Off, "no Global contract available");',
  'pragma Warnings (Off, "subprogram * has no effect");',
  'pragma Warnings (Off, "file name does not match");',
];

export interface ProjectFileContents {
  readonly main: Main | undefined;
  readonly languages: readonly string[];
  readonly sources: readonly SourceFile[];
  /** Switches that replace a package's defaults, by package. An empty list: as few as possible. */
  readonly switches: ReadonlyMap<string, readonly string[]>;
}

/** The text of main.gpr. The contract fixes its statements and their order. */
export function projectFile({ main, languages, sources, switches }: ProjectFileContents): string {
  return [
    '--  Generated for this project; builds with "gprbuild -P main.gpr".',
    'project Main is',
    '',
    ...(main === undefined ? [] : [`   for Main use ${list([mainName(main)])};`]),
    `   for Languages use ${list(languages)};`,
    '',
    ...naming(sources),
    ...PACKAGES.flatMap(({ name, defaultSwitches, leastSwitches, attributes }) => [
      `   package ${name} is`,
      `      for Default_Switches ("Ada") use ${list(defaultSwitches)};`,
      ...chosen(switches.get(name), leastSwitches),
      ...attributes.map((attribute) => `      ${attribute}`),
      `   end ${name};`,
      '',
    ]),
    'end Main;',
    '',
  ].join('\n');
}

export function configurationPragmas({ proving, restricted }: { proving: boolean; restricted: boolean }): string {
  const pragmas = [...(restricted ? RESTRICTIONS : []), ...(proving ? PROVING : [])];
  return ['--  Generated for this project.', ...pragmas, ''].join('\n');
}

/** The main program's name for gprbuild: the whole file name if gprbuild does not know the ending. */
function mainName({ file, executable }: Main): string {
  return kindOf(file)?.isListed ? file : executable;
}

function naming(sources: readonly SourceFile[]): string[] {
  const listed = sources.map(({ basename }) => basename).filter((name) => kindOf(name)?.isListed);
  if (listed.length === 0) return [];
  const isHeader = (name: string) => kindOf(name)?.isHeader === true;
  return [
    '   package Naming is',
    ...exceptions('Specification_Exceptions', listed.filter(isHeader)),
    ...exceptions(
      'Implementation_Exceptions',
      listed.filter((name) => !isHeader(name)),
    ),
    '   end Naming;',
    '',
  ];
}

const exceptions = (attribute: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`      for ${attribute} ("c++") use ${list(names)};`];

/** gprbuild uses Switches, if present, in place of Default_Switches. */
function chosen(switches: readonly string[] | undefined, least: readonly string[]): string[] {
  if (switches === undefined) return [];
  return [`      for Switches ("Ada") use ${list(switches.length === 0 ? least : switches)};`];
}

function list(values: readonly string[]): string {
  return `(${values.map(literal).join(', ')})`;
}

/** In the project language only `"` is special inside a string. */
function literal(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}
