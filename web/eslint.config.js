import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

// Arrows point down only: protocol <- client <- model <- ui <- apps.
const layers = ['protocol', 'client', 'model', 'ui'];

/** What a package may import of ours; everything else of ours is refused. */
function layer(name, allowed) {
  const refused = layers.filter((other) => other !== name && !allowed.includes(other)).map((other) => `@huitang/${other}`);
  const patterns = [{ group: [...refused, ...refused.map((other) => `${other}/*`)], message: `${name} may import only ${allowed.join(', ') || 'no other package'} of ours` }];
  return {
    files: [name === 'apps' ? 'apps/*/src/**/*.{ts,tsx}' : `packages/${name}/src/**/*.{ts,tsx}`],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: refused.length > 0 ? patterns : [] }] },
  };
}

const banned = (names, message) => ['error', ...names.map((name) => ({ name, message }))];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/gen/**', '**/node_modules/**', 'dev/**', 'scripts/**', 'eslint.config.js', '**/vite*.config.ts', 'vitest.config.ts'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    plugins: { 'react-hooks': hooks },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unnecessary-condition': 'off', // feature detection compares with what types say is there
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  layer('protocol', []),
  layer('client', ['protocol']),
  layer('model', ['client']),
  layer('ui', ['model']),
  layer('apps', ['model', 'ui']),
  {
    files: ['packages/client/src/**/*.ts', 'packages/model/src/**/*.ts'],
    ignores: ['packages/client/src/browser/**', '**/*.test.ts'],
    rules: {
      'no-restricted-globals': banned(['window', 'document', 'navigator', 'location', 'fetch', 'setTimeout', 'setInterval', 'performance', 'localStorage', 'sessionStorage', 'WebSocket', 'crypto'], 'injected: see environment.ts, devices.ts, slot_player.ts'),
    },
  },
  {
    files: ['packages/ui/src/**/*.{ts,tsx}'],
    rules: { 'no-restricted-globals': banned(['fetch', 'setTimeout', 'setInterval', 'WebSocket', 'RTCPeerConnection', 'localStorage', 'sessionStorage'], 'a component renders a model and calls its commands') },
  },
  { files: ['**/*.test.ts'], rules: { 'max-lines-per-function': 'off', '@typescript-eslint/unbound-method': 'off' } },
);
