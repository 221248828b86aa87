import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  // AssemblyScript is checked by its own compiler: its types are not TypeScript's.
  { ignores: ['assembly/', 'build/', 'data/', 'target/', '.tools/', 'kit/types/', 'kit/template/', 'kit/examples/', 'test/storage/entry*.ts', 'test/fixtures/**/*.as.ts', 'test/fixtures/kit/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      eqeqeq: 'error',
    },
  },
  // A describe block is a list of tests, not a function to read as one.
  { files: ['test/**/*.test.ts'], rules: { 'max-lines-per-function': 'off' } },
  // In a test, what is missing may as well throw.
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
