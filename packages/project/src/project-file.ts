/** The text of main.gpr and main.adc, which every project is built, proved and downloaded with. */
import { kindOf } from './languages.js';
import type { Main } from './mains.js';
import type { SourceFile } from './source-file.js';
import type { SwitchPackage } from './switches.js';

export const PROJECT_FILE = 'main.gpr';
export const CONFIGURATION_PRAGMAS = 'main.adc';

/** The packages in their order in the project file; attributes are statements that follow the switches. */
const PACKAGES: readonly {
  readonly name: SwitchPackage;
  readonly defaultSwitches: readonly string[];
  /** What is left when a client asks for none. */
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

/** Keeps programs from calling what was not sent with them. */
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
  /** Undefined for a project without one. */
  readonly main: Main | undefined;
  readonly languages: readonly string[];
  readonly sources: readonly SourceFile[];
  /**
   * Switches to take the place of a package's defaults, by the package's name; an empty list means as few as
   * can be.
   */
  readonly switches: ReadonlyMap<string, readonly string[]>;
}

/** The text of main.gpr. Its statements and their order are the contract's. */
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

/** The text of main.adc. The prove modes ask for SPARK and for what its tasking needs. */
export function configurationPragmas({ proving, restricted }: { proving: boolean; restricted: boolean }): string {
  const pragmas = [...(restricted ? RESTRICTIONS : []), ...(proving ? PROVING : [])];
  return ['--  Generated for this project.', ...pragmas, ''].join('\n');
}

/** gprbuild looks for a main by the endings that it knows; with another one it needs the whole name. */
function mainName({ file, executable }: Main): string {
  return kindOf(file)?.isListed ? file : executable;
}

/** C++ files whose endings gprbuild does not know. */
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

/** Switches, where there is a list of them, take the place of Default_Switches. */
function chosen(switches: readonly string[] | undefined, least: readonly string[]): string[] {
  if (switches === undefined) return [];
  return [`      for Switches ("Ada") use ${list(switches.length === 0 ? least : switches)};`];
}

function list(values: readonly string[]): string {
  return `(${values.map(literal).join(', ')})`;
}

/** A string literal of the project language, in which `"` is the only special character. */
function literal(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}
