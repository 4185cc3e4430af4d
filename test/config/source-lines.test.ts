import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hasModuleSyntax,
  lineOfImport,
  lineOfProperty,
  lineOfSyntaxError,
  parseSource,
} from '../../src/config/source-lines.ts';
import type { PropertyPath } from '../../src/config/source-lines.ts';

const lineIn = (text: string, path: PropertyPath) => {
  const program = parseSource({ path: 'file.ts', text });
  assert.ok(program);
  return lineOfProperty(program, path);
};

describe('the line of a property', () => {
  const source = `import { defineConfig } from 'fusionauth-segment';
import type { Config } from 'fusionauth-segment';

const rules = {
  'traits.email': 'hash',
} as const;

export default defineConfig<Config>({
  events: {
    include: [
      'user.*',
      { tenants: ['a'],
        applications: ['b'] },
    ],
    exclude: ['user.login.failed'], naming: 'segment',
  },
  privacy: rules,
  rules,
  'context.ip': 'truncate',
  7: { on: true },
  map(event: unknown, messages: unknown[]) {
    return messages;
  },
  empty: { },
  ['computed']: { inner: 1 },
  twice: 1,
  twice: 2,
} satisfies Config);
`;

  const lines: [name: string, path: PropertyPath, line: number][] = [
    ['the object itself', [], 8],
    ['a property', ['events'], 9],
    ['a property in a property', ['events', 'include'], 10],
    ['two properties on one line', ['events', 'naming'], 15],
    ['an element', ['events', 'include', 0], 11],
    ['a property in an element', ['events', 'include', 1, 'applications'], 13],
    ['an element in an element', ['events', 'include', 1, 'applications', 0], 13],
    ['a name in quotes', ['context.ip'], 19],
    ['a number for a name', [7, 'on'], 20],
    ['a number for a name, as text', ['7', 'on'], 20],
    ['a method', ['map'], 21],
    ['a constant’s name as value', ['privacy'], 17],
    ['a property in a constant', ['privacy', 'traits.email'], 5],
    ['a property in a shorthand', ['rules', 'traits.email'], 5],
    ['a name that stands there twice, of which the last counts', ['twice'], 27],
    ['a missing property: its ancestor’s', ['empty', 'missing', 'more'], 24],
    ['a missing element: its ancestor’s', ['events', 'include', 9], 10],
    ['an index that is none: its ancestor’s', ['events', 'include', 'x'], 10],
    ['what is in a value of one piece: that of the value', ['context.ip', 'x', 0], 19],
    ['a computed name: its ancestor’s', ['computed', 'inner'], 8],
  ];
  for (const [name, path, line] of lines) {
    test(`is known for ${name}`, () => assert.equal(lineIn(source, path), line));
  }

  const shapes: [name: string, text: string, line: number][] = [
    ['a bare object', 'export default {\na: 1 }', 2],
    ['an object in parentheses', 'export default (({\na: 1 }))', 2],
    ['an object with a type', 'export default {\na: 1 } as unknown as { a: 1 }', 2],
    ['a constant', 'const c: { a: 1 } = {\na: 1 };\nexport default c;', 2],
    ['an exported constant', 'export const c = {\na: 1 };\nexport default c;', 2],
    ['a constant in defineConfig', 'const c = {\na: 1 };\nexport default defineConfig(c);', 2],
    ['defineConfig in a constant', 'const c = defineConfig({\na: 1 });\nexport default c;', 2],
    ['a constant of a constant', 'const b = {\na: 1 };\nconst c = b;\nexport default c;', 2],
    ['a constant under the name default', 'const c = {\na: 1 };\nexport { c as default };', 2],
    ['a type above it that takes lines', 'interface A {\na: 1;\n}\nexport default {\na: 1 } satisfies A', 5],
    ['spread objects around it', 'export default { ...x,\na: 1,\n...y }', 2],
    ['line ends of Windows', 'export default {\r\n  b: 2,\r\n  a: 1,\r\n};\r\n', 3],
    ['a byte order mark', '\uFEFFexport default {\na: 1 }', 2],
    [
      'letters of more than a byte in a type',
      'type T = "äöü€😀";\nexport default {\n"ä": "😀" as T, a: 1 }',
      3,
    ],
    ['a function that makes it: the export’s', '\nexport default make({\na: 1 })', 2],
    ['a variable: the export’s', 'let c = {\na: 1 };\nexport default c;', 3],
    ['an imported object: the export’s', 'import c from "./c.ts";\nexport default c;', 2],
    ['a re-export: its own', '\n\nexport { default } from "./c.ts";', 3],
    ['constants that wait for each other: the export’s', 'const b = c;\nconst c = b;\nexport default c;', 3],
  ];
  for (const [name, text, line] of shapes) {
    test(`is known in ${name}`, () => assert.equal(lineIn(text, ['a']), line));
  }

  test('is known for elements before a spread, and not after it', () => {
    const text = 'export default { list: [\n1,\n...more,\n2] }';

    assert.equal(lineIn(text, ['list', 0]), 2);
    assert.equal(lineIn(text, ['list', 2]), 1);
  });

  test('is not known without a default export', () => {
    assert.equal(lineIn('export const a = 1;', ['a']), undefined);
  });
});

describe('a text', () => {
  test('that cannot be parsed is no program, and its fault has a line where it is JavaScript', () => {
    const text = 'export default {\n  a: 1,\n  b: = 2,\n};\n';

    assert.equal(parseSource({ path: 'file.js', text }), undefined);
    assert.equal(lineOfSyntaxError({ path: 'file.mjs', text }), 3);
    assert.equal(parseSource({ path: 'file.ts', text }), undefined);
    assert.equal(lineOfSyntaxError({ path: 'file.mts', text }), undefined);
    assert.equal(lineOfSyntaxError({ path: 'file.ts', text: 'const a: 1 = 1;\nconst a = 1;' }), 2);
  });

  test('without fault has no line of one', () => {
    assert.equal(lineOfSyntaxError({ path: 'file.js', text: 'export default {};' }), undefined);
  });

  test('is TypeScript by its extension alone', () => {
    assert.equal(parseSource({ path: 'file.js', text: 'const a: number = 1;' }), undefined);
    assert.ok(parseSource({ path: 'file.cts', text: 'const a: number = 1;' }));
  });

  test('is a module by import or export statements, not by words', () => {
    const isModule = (text: string, path = 'file.js') => hasModuleSyntax({ path, text });

    assert.equal(isModule('import "x";'), true);
    assert.equal(isModule('export const a: number = 1;', 'file.ts'), true);
    assert.equal(isModule('/*\nexport default 1;\n*/ module.exports = import("x");'), false);
    assert.equal(isModule('export'), false);
  });

  test('has a line for each of its imports', () => {
    const program = parseSource({
      path: 'file.ts',
      text: 'import a from "a";\nimport type b from "./b.ts";\nexport * from "./c.ts";\n\nexport { d } from "./d.ts";',
    });

    assert.ok(program);
    const lines = ['a', './c.ts', './d.ts', './b.ts', 'z'].map((specifier) =>
      lineOfImport(program, specifier),
    );
    // Imports of types are gone.
    assert.deepEqual(lines, [1, 3, 5, undefined, undefined]);
  });
});

test('warnings are kept back only while types are left out', () => {
  const emitWarning = () => Object.getOwnPropertyDescriptor(process, 'emitWarning');
  const before = emitWarning();

  parseSource({ path: 'file.ts', text: 'const a: 1 = 1;' });
  parseSource({ path: 'file.ts', text: 'const a: = 1;' });

  assert.deepEqual(emitWarning(), before);
});
