// Where things stand in a configuration file, for faults that name a line. Its text is read here, never run, and
// nothing here throws: what cannot be told is undefined.

import { stripTypeScriptTypes } from 'node:module';
import { parse } from 'acorn';
import type { AnyNode, Expression, Identifier, Program, Property, SpreadElement } from 'acorn';

export interface SourceFile {
  /** Its extension tells the language. */
  readonly path: string;
  readonly text: string;
}

export type PropertyPath = readonly (string | number)[];

/** Undefined where the text is no module that can be parsed. */
export function parseSource(file: SourceFile): Program | undefined {
  const { program } = tryToParse(file);
  return program;
}

/** Line of the first syntax error, 1-based. None is seen in TypeScript of which Node cannot even strip the types. */
export function lineOfSyntaxError(file: SourceFile): number | undefined {
  const { faultLine } = tryToParse(file);
  return faultLine;
}

/** Whether it has a statement that only modules have: an import or an export. */
export function hasModuleSyntax(file: SourceFile): boolean {
  return parseSource(file)?.body.some(({ type }) => /^(Import|Export)/.test(type)) ?? false;
}

/** Line of the first import or re-export from `specifier`, 1-based; one by `import()` is not looked for. */
export function lineOfImport(program: Program, specifier: string): number | undefined {
  const found = program.body.find(
    (statement) => 'source' in statement && statement.source?.value === specifier,
  );
  return found?.loc?.start.line;
}

/**
 * Line of a property of the default export, 1-based: of the nearest ancestor, where the property itself cannot be
 * found. It is looked for in literals, through `defineConfig(…)` and constants of the file.
 */
export function lineOfProperty(program: Program, path: PropertyPath): number | undefined {
  const exported = findDefaultExport(program);
  if (exported === undefined) return undefined;
  let value = findLiteral(program, exported.value);
  let place: AnyNode = value ?? exported.statement;
  for (const key of path) {
    const child = value === undefined ? undefined : findChild(value, key);
    if (child === undefined) break;
    place = child;
    value = findLiteral(program, child.type === 'Property' ? child.value : child);
  }
  return place.loc?.start.line;
}

function tryToParse({ path, text }: SourceFile): { program?: Program; faultLine?: number | undefined } {
  try {
    const source = /\.[cm]?ts$/.test(path) ? blankTypes(text) : text;
    return { program: parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) };
  } catch (error) {
    return { faultLine: (error as { loc?: { line: number } }).loc?.line };
  }
}

/**
 * By Node's own means, so that what runs is what is parsed: spaces take the place of the types, and each line stays
 * where it is. Node 24 and 26 announce on stderr that the call is experimental. Nobody who reads that could do anything
 * about it, so it is kept back, for this one synchronous call.
 */
function blankTypes(text: string): string {
  const own = Object.getOwnPropertyDescriptor(process, 'emitWarning') ?? {};
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    Object.defineProperty(process, 'emitWarning', own);
  }
}

/** `value` is undefined where the default export comes from another file. */
function findDefaultExport(program: Program): { statement: AnyNode; value: AnyNode | undefined } | undefined {
  for (const statement of program.body) {
    if (statement.type === 'ExportDefaultDeclaration') return { statement, value: statement.declaration };
    if (statement.type !== 'ExportNamedDeclaration') continue;
    const specifier = statement.specifiers.find(({ exported }) => nameOf(exported) === 'default');
    if (specifier === undefined) continue;
    return { statement, value: statement.source ? undefined : specifier.local };
  }
  return undefined;
}

/** The object or array that an expression is, if it is written out in this file. */
function findLiteral(program: Program, node: AnyNode | undefined): AnyNode | undefined {
  if (node?.type === 'ObjectExpression' || node?.type === 'ArrayExpression') return node;
  if (node?.type === 'Identifier') return findLiteral(program, findConstant(program, node));
  const isDefineConfig =
    node?.type === 'CallExpression' &&
    node.callee.type === 'Identifier' &&
    node.callee.name === 'defineConfig';
  return isDefineConfig ? findLiteral(program, node.arguments[0]) : undefined;
}

/** What a constant at the file's top level is set to. Only one that ends above its use: so the search ends, too. */
function findConstant(program: Program, { name, start }: Identifier): Expression | undefined {
  for (const statement of program.body) {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') continue;
    const found = declaration.declarations.find(({ id }) => id.type === 'Identifier' && id.name === name);
    if (found?.init && found.end <= start) return found.init;
  }
  return undefined;
}

/** The last of its name, since that one counts. None under a computed key, or after elements that are spread. */
function findChild(literal: AnyNode, key: string | number): Property | Expression | undefined {
  if (literal.type === 'ObjectExpression') {
    return literal.properties
      .filter((property) => property.type === 'Property')
      .findLast((property) => !property.computed && nameOf(property.key) === String(key));
  }
  if (literal.type !== 'ArrayExpression') return undefined;
  const elements = literal.elements.slice(0, Number(key) + 1);
  const isSpread = (element: Expression | SpreadElement | null) => element?.type === 'SpreadElement';
  const element = elements.some(isSpread) ? undefined : elements[Number(key)];
  return (element ?? undefined) as Expression | undefined;
}

function nameOf(key: AnyNode): string | undefined {
  if (key.type === 'Identifier') return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}
