#!/usr/bin/env python3
"""Reads base/config/*.conf and docs.conf; writes C++ tables or the reference in Markdown.

  generate.py tables OUT.cc      the tables behind base/config.h (done by the build)
  generate.py docs OUT.md        docs/configuration.md
  generate.py check              nothing but the checks

A .conf file holds tables: a line "[name]", then one key per line:
  name type default importance valid [flag ...]
docs.conf has "key: sentence" for every key ("table/key: sentence" where tables differ).
Standard library only.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {"boolean": "kBoolean", "int": "kInt", "short": "kShort", "long": "kLong",
         "double": "kDouble", "string": "kString", "list": "kList", "class": "kClass",
         "password": "kPassword"}
DYNAMIC = {"read-only": "kReadOnly", "per-broker": "kPerBroker", "cluster-wide": "kClusterWide"}
CELL = re.compile(r'(?:[^\s"]|"[^"]*")+')


class Key:
    def __init__(self, cells, where):
        if len(cells) < 5:
            sys.exit(f"{where}: a key needs name, type, default, importance and valid")
        self.name, self.type, self.default, self.importance, self.valid = cells[:5]
        if self.type not in TYPES:
            sys.exit(f"{where}: unknown type {self.type}")
        self.flags = {}
        for flag in cells[5:]:
            name, _, value = flag.partition("=")
            if name not in ("dynamic", "synonym", "topic", "rdk", "internal", "own", "deprecated"):
                sys.exit(f"{where}: unknown flag {flag}")
            self.flags[name] = value
        self.doc = ""

    def default_text(self):
        """The default as a user would write it; None for null or required."""
        if self.default in ("null", "required"):
            return None
        if self.type == "list":
            return self.default.strip("[]").replace(", ", ",")
        return self.default.strip('"')


def read_tables():
    tables = {}
    for file in sorted(os.listdir(HERE)):
        if not file.endswith(".conf") or file == "docs.conf":
            continue
        rows = None
        with open(os.path.join(HERE, file), encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                line = line.strip()
                if line.startswith("["):
                    rows = tables.setdefault(line.strip("[]"), [])
                elif line and not line.startswith("#"):
                    rows.append(Key(CELL.findall(line), f"{file}:{number}"))
    return tables


def read_docs():
    docs = {}
    with open(os.path.join(HERE, "docs.conf"), encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.startswith("#"):
                key, colon, text = line.partition(": ")
                if not colon or not text.strip():
                    sys.exit(f"docs.conf:{number}: expected 'key: sentence'")
                if key in docs:
                    sys.exit(f"docs.conf:{number}: {key} is described twice")
                docs[key] = text.strip()
    return docs


def attach(tables, docs):
    used = set()
    for table, keys in tables.items():
        names = set()
        for key in keys:
            if key.name in names:
                sys.exit(f"[{table}] defines {key.name} twice")
            names.add(key.name)
            found = next((d for d in (f"{table}/{key.name}", key.name) if d in docs), None)
            if found is None:
                sys.exit(f"docs.conf says nothing about {key.name} of [{table}]")
            used.add(found)
            key.doc = docs[found]
    for doc in docs:
        if doc not in used:
            sys.exit(f"docs.conf describes {doc}, which no table has")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cpp_key(key):
    parts = [f".name = {quoted(key.name)}", f".type = ConfigType::{TYPES[key.type]}"]
    if key.default == "required":
        parts.append(".required = true")
    if key.default_text() is not None:
        parts.append(f".default_value = {quoted(key.default_text())}")
    if key.valid != "-":
        parts.append(f".valid = {quoted(key.valid)}")
    if key.flags.get("dynamic", "read-only") != "read-only":
        parts.append(f".dynamic = ConfigDynamic::{DYNAMIC[key.flags['dynamic']]}")
    for flag in ("internal", "own", "deprecated"):
        if flag in key.flags:
            parts.append(f".{flag} = true")
    if "synonym" in key.flags:
        parts.append(f".synonyms = {quoted(key.flags['synonym'])}")
    if "topic" in key.flags:
        parts.append(f".topic_key = {quoted(key.flags['topic'])}")
    parts.append(f".doc = {quoted(key.doc)}")
    return "    {" + ", ".join(parts) + "},"


def write_tables(tables, out):
    lines = ["// Made by base/config/generate.py from base/config/*.conf.", '#include "base/config.h"',
             '#include "base/config_tables.h"', "", "namespace millrace::detail {", "namespace {"]
    index = []
    for number, (table, keys) in enumerate(sorted(tables.items())):
        if keys:
            lines.append(f"// [{table}]")
            lines.append(f"constexpr ConfigKey kTable{number}[] = {{")
            lines += [cpp_key(key) for key in sorted(keys, key=lambda k: k.name)]
            lines.append("};")
            index.append(f"    {{{quoted(table)}, kTable{number}}},")
        else:
            index.append(f"    {{{quoted(table)}, {{}}}},")
    lines += ["constexpr ConfigTable kTables[] = {"] + index + ["};", "}  // namespace",
              "std::span<const ConfigTable> configTables() { return kTables; }",
              "}  // namespace millrace::detail", ""]
    write(out, "\n".join(lines))


def markdown_cell(text):
    return text.replace("|", "\\|") or " "


def write_docs(tables, out):
    lines = ["# Configuration", "",
             "Every key that a part of Millrace knows, with Kafka's names and defaults. Made by",
             "`base/config/generate.py docs` from `base/config/*.conf`; do not edit by hand.", "",
             "*Valid*: a range (`1..` at least 1), one of `{a|b}` (`i`: in any case), `list{a|b}` each",
             "element one of, `unique` no element twice. *Changeable*: a broker key that may change while",
             "the broker runs, for one broker or for the cluster.", ""]
    for table, keys in sorted(tables.items()):
        shown = [k for k in keys if "internal" not in k.flags]
        if not shown:
            continue
        dynamic = any("dynamic" in k.flags for k in shown)
        lines += [f"## {table[0].upper()}{table[1:]}", "",
                  "| key | type | default | valid |" + (" changeable |" if dynamic else "") + " |",
                  "|---|---|---|---|" + ("---|" if dynamic else "") + "---|"]
        for key in sorted(shown, key=lambda k: k.name):
            doc = key.doc + (" *Deprecated.*" if "deprecated" in key.flags else "")
            if "synonym" in key.flags:
                doc += " Unset: " + ", ".join(f"`{s}`" for s in key.flags["synonym"].split(",")) + "."
            valid = "" if key.valid == "-" else f"`{key.valid}`"
            default = f"`{key.default}`" if key.default not in ("required", "null") else key.default
            row = [f"`{key.name}`", key.type, default, valid]
            if dynamic:
                row.append(key.flags.get("dynamic", "").replace("read-only", "no"))
            lines.append("| " + " | ".join(markdown_cell(c) for c in row + [doc]) + " |")
        lines.append("")
    write(out, "\n".join(lines))


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("tables", "docs", "check"):
        sys.exit(__doc__)
    tables = read_tables()
    attach(tables, read_docs())
    if sys.argv[1] == "tables":
        write_tables(tables, sys.argv[2])
    elif sys.argv[1] == "docs":
        write_docs(tables, sys.argv[2])


if __name__ == "__main__":
    main()
