// SPDX-License-Identifier: Apache-2.0
// Reads the project's text files and takes TypeScript and AssemblyScript apart for the checks. The parser of
// TypeScript reads both: decorators on functions, which it dislikes in AssemblyScript, it lets pass.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** A text file: path relative to the project with forward slashes, and its content. */
export interface SourceFile {
  path: string;
  text: string;
}

/** Something a check objects to. `line` counts from 1. */
export interface Finding {
  path: string;
  line: number;
  message: string;
}

/** One import: what is written, and whether it is erased when types are. */
export interface ImportOf {
  specifier: string;
  line: number;
  typeOnly: boolean;
}

export interface Parsed {
  path: string;
  imports: ImportOf[];
  /** Every function with a body, and how many lines it covers. */
  functions: { name: string; line: number; lines: number }[];
  /** Dotted names as written (`Date.now`), calls of constructors without arguments (`new Date()`). */
  mentions: { name: string; line: number }[];
  /** Literal strings and literal parts of templates. */
  strings: { text: string; line: number }[];
}

const notOurs = new Set(["node_modules", ".git", "build", "dist", "coverage", "results"]);

/** All text files below `root`, in order of their paths; generated and installed folders are left out. */
export function readTree(root: string, folder = ""): SourceFile[] {
  const found: SourceFile[] = [];
  for (const name of readdirSync(join(root, folder)).sort()) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (notOurs.has(name) || name === "package-lock.json") continue;
    if (!existsSync(join(root, path))) continue;
    if (statSync(join(root, path)).isDirectory()) {
      found.push(...readTree(root, path));
      continue;
    }
    const bytes = readFileSync(join(root, path));
    if (!bytes.subarray(0, 8192).includes(0)) found.push({ path, text: bytes.toString("utf8") });
  }
  return found;
}

export function isCode(path: string): boolean {
  return /\.(ts|mts|mjs|cjs|js)$/.test(path);
}

function functionName(node: ts.FunctionLikeDeclaration): string {
  if (node.name !== undefined) return node.name.getText();
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText();
  if (ts.isCallExpression(parent)) {
    const label = parent.arguments.find((argument) => ts.isStringLiteralLike(argument));
    return `${parent.expression.getText()}(${label?.getText() ?? ""})`;
  }
  return "(unnamed)";
}

function importOf(node: ts.Node): { specifier: ts.Node | undefined; typeOnly: boolean } | null {
  if (ts.isImportDeclaration(node)) {
    return {
      specifier: node.moduleSpecifier,
      typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
    };
  }
  if (ts.isExportDeclaration(node)) return { specifier: node.moduleSpecifier, typeOnly: node.isTypeOnly };
  if (ts.isImportTypeNode(node)) {
    return {
      specifier: ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined,
      typeOnly: true,
    };
  }
  if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
    return { specifier: node.moduleReference.expression, typeOnly: node.isTypeOnly };
  }
  const dynamic =
    ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === "require");
  return dynamic ? { specifier: node.arguments[0], typeOnly: false } : null;
}

/** Takes one file apart. */
export function parse(file: SourceFile): Parsed {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  const parsed: Parsed = { path: file.path, imports: [], functions: [], mentions: [], strings: [] };
  const lineAt = (position: number): number => tree.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    const line = lineAt(node.getStart());
    const found = importOf(node);
    if (found?.specifier !== undefined && ts.isStringLiteralLike(found.specifier)) {
      parsed.imports.push({ specifier: found.specifier.text, line, typeOnly: found.typeOnly });
    }
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
      const name = functionName(node as ts.FunctionLikeDeclaration);
      parsed.functions.push({ name, line, lines: lineAt(node.getEnd()) - line + 1 });
    }
    if (ts.isPropertyAccessExpression(node))
      parsed.mentions.push({ name: node.getText().replace(/\s/g, ""), line });
    if (ts.isNewExpression(node) && (node.arguments?.length ?? 0) === 0) {
      parsed.mentions.push({ name: `new ${node.expression.getText()}()`, line });
    }
    if (ts.isImportSpecifier(node))
      parsed.mentions.push({ name: (node.propertyName ?? node.name).getText(), line });
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      parsed.strings.push({ text: node.text, line });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return parsed;
}

/** A relative import as a path of the project, or null for a package. AssemblyScript leaves `.ts` out. */
export function resolveImport(from: string, specifier: string, paths: ReadonlySet<string>): string | null {
  if (!specifier.startsWith(".")) return null;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const path = parts.join("/");
  const candidates = [path, `${path}.ts`, `${path}/index.ts`];
  return candidates.find((candidate) => paths.has(candidate)) ?? path;
}
