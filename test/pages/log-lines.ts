/** Finds the log messages of level warn and above in the syntax trees of the sources. */
import ts from 'typescript';

const LEVELS = ['warn', 'error', 'fatal'];

export interface Trouble {
  level: string;
  /** Contains `…` for interpolated parts; undefined if the message comes from a variable. */
  message: string | undefined;
}

/** Calls of a log's methods, and lines written without a log. */
export function troublesIn(path: string, source: string): Trouble[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const troubles: Trouble[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name, expression } = node.expression;
      if (LEVELS.includes(name.text) && /(^|\.)log(ger)?\??$/i.test(expression.getText())) {
        troubles.push({ level: name.text, message: textOf(node.arguments.at(-1), file) });
      }
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'msg' && /level: FATAL/.test(node.parent.getText())) {
      troubles.push({ level: 'fatal', message: textOf(node.initializer, file) });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return troubles;
}

function textOf(node: ts.Expression | undefined, file: ts.SourceFile): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('…');
  if (ts.isBinaryExpression(node)) {
    const parts = [textOf(node.left, file), textOf(node.right, file)];
    return parts.includes(undefined) ? undefined : parts.join('');
  }
  if (!ts.isIdentifier(node)) return undefined;
  const declarations = file.statements
    .filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations]);
  return textOf(declarations.find(({ name }) => name.getText() === node.text)?.initializer, file);
}
