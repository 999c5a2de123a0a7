// SPDX-License-Identifier: Apache-2.0
// Rule 6 of ARCHITECTURE.md on a module in text form: one function, `reserve`, grows memory, and nothing that
// runs the clock reaches it. Ask the debug core: the optimizer moves a function called once into its caller.

interface Module {
  /** Function → functions it calls. */
  calls: Map<string, Set<string>>;
  /** Functions with a memory.grow of their own. */
  growers: Set<string>;
  /** Functions with a call_indirect, which may reach whatever is in the table. */
  indirect: Set<string>;
  table: Set<string>;
  /** Exported name → function. */
  exports: Map<string, string>;
}

const unquoted = (name: string): string => name.replaceAll('"', "");

function readModule(wat: string): Module {
  const module: Module = {
    calls: new Map(),
    growers: new Set(),
    indirect: new Set(),
    table: new Set(),
    exports: new Map(),
  };
  const id = String.raw`\$("[^"]*"|[^\s()]+)`;
  const tokens = new RegExp(
    String.raw`\(export "([^"]*)" \(func ${id}\)\)|\(elem[^()]*((?:\([^()]*\)|[^()])*)\)` +
      String.raw`|\(func ${id}|\b(?:return_)?call ${id}|\b(call_indirect)\b|\b(memory\.grow)\b`,
    "g",
  );
  let current = "";
  for (const match of wat.matchAll(tokens)) {
    const [whole, exported, target, elements, defined, called, indirect] = match;
    if (exported !== undefined) module.exports.set(exported, unquoted(target ?? ""));
    else if (elements !== undefined) {
      for (const name of whole.matchAll(new RegExp(id, "g"))) module.table.add(unquoted(name[1] ?? ""));
    } else if (defined !== undefined) {
      current = unquoted(defined);
      if (!module.calls.has(current)) module.calls.set(current, new Set());
    } else if (called !== undefined) module.calls.get(current)?.add(unquoted(called));
    else if (indirect !== undefined) module.indirect.add(current);
    else module.growers.add(current);
  }
  return module;
}

function reachesGrowth(module: Module, start: string): boolean {
  const seen = new Set([start]);
  // A set visits what is added to it on the way.
  for (const name of seen) {
    if (module.growers.has(name)) return true;
    for (const next of module.calls.get(name) ?? []) seen.add(next);
    if (module.indirect.has(name)) for (const next of module.table) seen.add(next);
  }
  return false;
}

/**
 * Names what breaks the rule in `wat`, one sentence each. `clockExport` tells the exports that run the clock;
 * at least one must be there, or the rule would hold of nothing.
 */
export function growthFaults(wat: string, clockExport: RegExp): string[] {
  const module = readModule(wat);
  const faults = [...module.growers]
    .filter((name) => name.split("/").at(-1) !== "reserve")
    .map((name) => `${name} grows memory; only reserve may`);
  if (module.growers.size > 1 && faults.length === 0) faults.push("more than one function is called reserve");
  if (module.growers.size === 0) faults.push("no function grows memory: is reserve called otherwise now?");
  const clocked = [...module.exports].filter(([name]) => clockExport.test(name));
  if (clocked.length === 0) faults.push(`no export matches ${clockExport}`);
  for (const [name, target] of clocked) {
    if (reachesGrowth(module, target)) faults.push(`the export ${name} reaches memory.grow`);
  }
  return faults;
}
