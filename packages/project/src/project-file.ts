/** The text of main.gpr and main.adc, which every project is built, proved and downloaded with. */
import type { SwitchPackage } from './switches.js';

export const PROJECT_FILE = 'main.gpr';
export const CONFIGURATION_PRAGMAS = 'main.adc';

/** The packages in their order in the project file; attributes are statements that follow the switches. */
const PACKAGES: readonly {
  readonly name: SwitchPackage;
  readonly defaultSwitches: readonly string[];
  readonly attributes: readonly string[];
}[] = [
  { name: 'Compiler', defaultSwitches: ['-g', '-O0', '-gnata', '-gnatwa'], attributes: [] },
  {
    name: 'Builder',
    defaultSwitches: ['-g'],
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
  /** What the main is called; undefined for a project without one. */
  readonly main: string | undefined;
  readonly languages: readonly string[];
  /** Switches to take the place of a package's defaults, by the package's name. */
  readonly switches: ReadonlyMap<string, readonly string[]>;
}

/** The text of main.gpr. Its statements and their order are the contract's. */
export function projectFile({ main, languages, switches }: ProjectFileContents): string {
  return [
    '--  Generated for this project; builds with "gprbuild -P main.gpr".',
    'project Main is',
    '',
    ...(main === undefined ? [] : [`   for Main use ${list([main])};`]),
    `   for Languages use ${list(languages)};`,
    '',
    ...PACKAGES.flatMap(({ name, defaultSwitches, attributes }) => [
      `   package ${name} is`,
      `      for Default_Switches ("Ada") use ${list(defaultSwitches)};`,
      ...chosen(switches.get(name)),
      ...attributes.map((attribute) => `      ${attribute}`),
      `   end ${name};`,
      '',
    ]),
    'end Main;',
    '',
  ].join('\n');
}

/** The text of main.adc. The prove modes ask for SPARK and for what its tasking needs. */
export function configurationPragmas(proving: boolean): string {
  return ['--  Generated for this project.', ...RESTRICTIONS, ...(proving ? PROVING : []), ''].join('\n');
}

/** Switches, where given, take the place of Default_Switches; an empty list would take it as well. */
function chosen(switches: readonly string[] = []): string[] {
  return switches.length === 0 ? [] : [`      for Switches ("Ada") use ${list(switches)};`];
}

function list(values: readonly string[]): string {
  return `(${values.map(literal).join(', ')})`;
}

/** A string literal of the project language, in which `"` is the only special character. */
function literal(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}
