/** Whether an Ada source gives the same object and the same messages whenever it is compiled. */

/**
 * Refused anywhere, even in a comment. GNAT.Source_Info has the time of the compilation, and any unit
 * may declare that intrinsic function itself. `["54"]` is the letter T, also within a name. `f"{X}"` is
 * a string with code in it. A Linker_Section reaches the assembler unescaped, which can read files.
 */
const REFUSED = /source_info|compilation_(?:iso_)?(?:date|time)|machine_code|linker_|\["[0-9a-f]{2,8}"\]|\bf"/;

/** The other ways to name a symbol. Only a plain name is sure not to be more than that to the assembler. */
const SYMBOL = /\b(?:external_name|link_name)\b(?!\s*=>\s*"\w*"\s*[,;)])/;

/**
 * Pragmas that give no string to the assembler. Any other is refused: Ident and Comment write into
 * the assembler's text, Source_Reference has GNAT quote lines of another file.
 */
const PRAGMA_NAMES = `
  abstract_state ada_05 ada_12 ada_2005 ada_2012 ada_2022 ada_83 ada_95 annotate assert assert_and_cut
  assertion_policy assume asynchronous atomic atomic_components attach_handler check check_policy
  compile_time_error compile_time_warning contract_cases controlled debug debug_policy
  default_initial_condition depends detect_blocking discard_names elaborate elaborate_all elaborate_body
  elaboration_checks extensions_visible ghost global independent independent_components initial_condition
  initialize_scalars initializes inline inline_always interrupt_handler interrupt_priority invariant
  list locking_policy loop_invariant loop_optimize loop_variant no_inline no_return no_strict_aliasing
  normalize_scalars obsolescent optimize overflow_mode pack page partition_elaboration_policy
  postcondition precondition predicate preelaborable_initialization preelaborate priority
  priority_specific_dispatching profile provide_shift_operators pure pure_function queuing_policy refined_depends
  refined_global refined_post refined_state remote_call_interface remote_types restrictions reviewable
  shared shared_passive spark_mode storage_size style_checks suppress suppress_all
  task_dispatching_policy test_case type_invariant unchecked_union unevaluated_use_of_old unmodified unreferenced
  unreferenced_objects unsuppress unused validity_checks volatile volatile_components
  volatile_full_access volatile_function warnings`;
const KNOWN_PRAGMAS = [
  String.raw`(?:${PRAGMA_NAMES.trim().replace(/\s+/g, '|')})\b`,
  String.raw`convention\s*\(\s*\w+\s*,\s*[\w.]+\s*\)`,
  String.raw`(?:import|export)\s*\(\s*\w+\s*,\s*[\w.]+\s*(?:,\s*"\w*"\s*){0,2}\)`,
];
const OTHER_PRAGMA = new RegExp(String.raw`\bpragma\b(?!\s*(?:${KNOWN_PRAGMAS.join('|')}))`);

/**
 * Strings and comments, none of which goes on in the next line; plain strings are left. So are lines in
 * which a `"` may be no string's: those with the literal '"', and with Ada 83's other delimiter, %.
 */
const LITERALS_AND_COMMENTS = /(?<kept>^[^\n]*(?:'"'|%)[^\n]*|"\w*")|"[^"\n]*"|--[^\n]*/gm;

/** The text has no line end but `\n` and `\r\n`. */
export function isReproducibleAda(text: string): boolean {
  // Also folds the few letters beyond ASCII whose other case is an ASCII letter.
  const folded = text.toUpperCase().toLowerCase();
  if (REFUSED.test(folded)) return false;
  const code = folded.replace(LITERALS_AND_COMMENTS, ' $<kept> ');
  return !SYMBOL.test(code) && !OTHER_PRAGMA.test(code);
}
