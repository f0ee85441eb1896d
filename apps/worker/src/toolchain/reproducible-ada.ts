/** Decides whether an Ada source always compiles to the same object and messages. */

/**
 * Words that are refused even in comments. GNAT.Source_Info gives the compilation time, and any unit may declare that
 * intrinsic function itself. `["54"]` is the letter T, also inside a name. `f"{X}"` is a string with code. A
 * Linker_Section reaches the assembler unescaped, which can read files.
 */
const REFUSED = /source_info|compilation_(?:iso_)?(?:date|time)|machine_code|linker_|\["[0-9a-f]{2,8}"\]|\bf"/;

/** A symbol that is named by more than a plain name. Only a plain name is sure to be harmless to the assembler. */
const SYMBOL = /\b(?:external_name|link_name)\b(?!\s*=>\s*"\w*"\s*[,;)])/;

/**
 * Pragmas that pass no string to the assembler. Any other is refused: Ident and Comment write to the assembler's text,
 * and Source_Reference makes GNAT quote another file.
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
 * Comments and strings, which are removed. Both end with their line. Kept are plain strings, and lines where a `"` may
 * not start a string: with the literal '"', or with Ada 83's delimiter %.
 */
const LITERALS_AND_COMMENTS = /(?<kept>^[^\n]*(?:'"'|%)[^\n]*|"\w*")|"[^"\n]*"|--[^\n]*/gm;

/** `text` has no line ends other than LF and CRLF. */
export function isReproducibleAda(text: string): boolean {
  // Also folds the few non-ASCII letters whose other case is an ASCII letter.
  const folded = text.toUpperCase().toLowerCase();
  if (REFUSED.test(folded)) return false;
  const code = folded.replace(LITERALS_AND_COMMENTS, ' $<kept> ');
  return !SYMBOL.test(code) && !OTHER_PRAGMA.test(code);
}
