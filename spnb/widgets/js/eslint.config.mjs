// What the compiler does not see: promises nobody waits for, and markup made from strings.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules", "test"] },
  {
    files: ["src/**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "User content is text, never markup." },
        { property: "outerHTML", message: "User content is text, never markup." },
        { property: "insertAdjacentHTML", message: "User content is text, never markup." },
      ],
      "no-eval": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
    },
  },
);
