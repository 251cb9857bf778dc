#!/usr/bin/env python3
"""Taste and layers, checked in about a second: reads every file that git knows and says what to do.

  tidy.py            check the repository (ctest runs it)
  tidy.py --all      show what the ratchet forgives, too
  tidy.py --update   write the present sizes and counts to ratchet.txt
  tidy.py --self     check the checks themselves on small bad samples

A line that must break a rule says why: // tidy: allow RULE - reason
Standard library only.
"""
import fnmatch
import os
import re
import shutil
import subprocess
import sys

from source import FileText, functions_of, statement_before

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')

# Rule, pattern on code without comments and strings, paths where it is fine, what to do instead.
BANNED = [
    ("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w:.>])sleep\s*\(",
     ["examples/*", "bench/*", "tests/fuzz/*", "client/*", "streams/*"],
     "wait for the condition: a future, a WaitList, or eventually() of tests/support/eventually.h"),
    ("regex", r"\bstd::(?:w?regex|w?smatch|w?cmatch)\b", [],
     "match by hand; where users write patterns, boost::regex in a .cc file of connect/"),
    ("printf", r"(?<![\w:])(?:std::)?f?printf\s*\(|\bstd::(?:cout|cerr|clog)\b",
     ["base/assert.cc", "cli/*", "examples/*", "bench/*", "tests/*"],
     "MILLRACE_LOG_... from base/log.h"),
    ("sprintf", r"\b(?:std::)?v?sprintf\s*\(", [], "fmt::format"),
    ("atoi", r"\b(?:std::)?(?:atoi|atol|atoll|atof|strtol|strtoll|strtoul|strtoull|strtod)\s*\(", [],
     "std::from_chars, which tells errors"),
    ("random", r"\b(?:std::)?(?:rand|srand)\s*\(|\bstd::(?:random_device|mt19937(?:_64)?)\b",
     ["tests/*", "bench/*"], "a RandomSource that is handed in (base/random.h)"),
    ("wall-clock", r"\bsystem_clock::now\b", ["base/*", "tests/*", "bench/*", "cli/*", "examples/*"],
     "a Clock that is handed in (base/clock.h)"),
    ("detached", r"\basio::detached\b", ["tests/*"], "spawn(gate, ...) from base/net/gate.h"),
    ("assert", r"(?<![\w.])assert\s*\(", [], "MILLRACE_ASSERT, which stays on in release builds"),
    ("using-std", r"\busing\s+namespace\s+std\s*;", [], "name what is used"),
    ("null", r"\bNULL\b", [], "nullptr"),
]
# On whole lines, comments included.
BANNED_TEXT = [
    ("todo", r"\b(?:TODO|FIXME|XXX|HACK)\b", "do it, or open an issue"),
    ("machine-path", r"(?<![\w.])/work/", "paths of one machine do not belong into the repository"),
]
AIM = {"header": 200, "source": 500, "function": 40}
HARD = {"header": 400, "source": 800, "function": 70}


class Report:
    def __init__(self):
        self.problems = []
        self.counts = {}  # "[rule] path" -> how often

    def add(self, path, line, rule, text):
        self.problems.append(f"{path}:{line}: [{rule}] {text}")
        key = f"[{rule}] {path}"
        self.counts[key] = self.counts.get(key, 0) + 1

    def new_problems(self, ratchet):
        """Those of files that break a rule more often than the ratchet knows."""
        known = {key for key, count in self.counts.items() if count <= ratchet.get(key, 0)}
        return [p for p in self.problems
                if f"{p.split(': ', 1)[1].split(' ', 1)[0]} {p.split(':', 1)[0]}" not in known]


class Layers:
    def __init__(self, text):
        self.rooms, self.third = {}, []
        for line in text.splitlines():
            line = line.strip()
            if line.startswith("room "):
                folder, _, allowed = line[5:].partition(":")
                self.rooms[folder.strip()] = allowed.split()
            elif line.startswith("third "):
                prefix, _, where = line[6:].partition(":")
                self.third.append((prefix.strip(), where.split()))

    def room_of(self, path):
        found = [r for r in self.rooms if path.startswith(r + "/")]
        return max(found, key=len, default=None)

    def check(self, path, line, quote, target, report):
        room = self.room_of(path)
        if room is None:
            return
        if quote == '"' or target.startswith("millrace/"):
            top = target.split("/")[0]
            own = top_room = room.split("/")[0]
            known = {r.split("/")[0] for r in self.rooms} | {"millrace"}
            if "/" in target and top in known and top != own and top not in self.rooms[room]:
                report.add(path, line, "layer", f"{room}/ may not include {top}/ "
                           f"(only: {' '.join(self.rooms[room]) or 'nothing'}); see layers.txt")
            if "/" not in target and top_room not in ("examples", "tests", "bench"):
                report.add(path, line, "include", f'write "{os.path.dirname(path)}/{target}"')
            return
        for prefix, where in self.third:
            exact = "/" not in prefix and "." not in prefix and prefix in ("regex", "iostream")
            hit = target == prefix if exact else target.startswith(prefix)
            if hit and not any(fnmatch.fnmatch(path, pattern) for pattern in where):
                report.add(path, line, "third-party", f"<{target}> stands only in "
                           f"{' '.join(where) or 'no file'}; see layers.txt")


def allowed(lines, number, rule):
    """The line itself, or the one above, may allow a rule."""
    return any(f"tidy: allow {rule}" in lines[i]
               for i in (number - 1, number - 2) if 0 <= i < len(lines))


def check_lines(path, text, report):
    for number, line in enumerate(text.lines, 1):
        if len(line) > 100 and not allowed(text.lines, number, "columns") and "http" not in line:
            report.add(path, number, "columns", f"{len(line)} columns, 100 are allowed")
        if not line.isascii():
            report.add(path, number, "ascii", "write characters beyond ASCII as escapes")
        for rule, pattern, instead in BANNED_TEXT:
            if re.search(pattern, line) and not path.startswith("tests/tidy/"):
                report.add(path, number, rule, instead)


def check_banned(path, text, report):
    for rule, pattern, fine, instead in BANNED:
        if any(fnmatch.fnmatch(path, p) for p in fine):
            continue
        for match in re.finditer(pattern, text.code):
            number = text.line_of(match.start())
            if not allowed(text.lines, number, rule):
                report.add(path, number, rule, f"{match.group().strip()}: {instead}")


# What may stand in front of a co_await in its statement, after any if (...), else or for (...).
AWAIT_OK = re.compile(
    r"^\s*(?:"
    r"|\(void\)|do"                                              # a statement of its own
    r"|co_return"
    r"|(?:const\s+|static\s+)?[\w:]+(?:\s*<.*>)?(?:::\w+)?[\s*&]+(?:const\s+)?"
    r"(?:\w+|\[[\w\s,]+\])\s*="                                  # T name =, auto [a, b] =
    r"|\w+(?:(?:\.|->)\w+)*\s*="                                # name =, a->b =
    r"|MILLRACE_(?:CO_)?TRY\(.*,"
    r"|MILLRACE_(?:CO_)?CHECK_OK\("
    r")\s*$", re.S)


def without_control(before):
    """Drops what controls the statement: "if (a)", "else", and "; i < n)" of a for."""
    before = re.sub(r"^[^()]*\)", "", before, count=1) if before.count(")") > before.count("(") \
        else before
    while True:
        head = re.match(r"^\s*(?:else\b)?\s*(?:if|for|while)\s*(?:constexpr\s*)?\(|^\s*else\b", before)
        if not head:
            return before
        if not head.group().endswith("("):
            return before[head.end():]
        depth, end = 1, head.end()
        while depth and end < len(before):
            depth += {"(": 1, ")": -1}.get(before[end], 0)
            end += 1
        if depth:
            return before  # inside of the condition
        before = before[end:]


def check_coroutines(path, text, report):
    for match in re.finditer(r"\bco_await\b", text.code):
        number = text.line_of(match.start())
        if allowed(text.lines, number, "co_await"):
            continue
        before = without_control(statement_before(text.code, match.start()))
        if not AWAIT_OK.match(before):
            report.add(path, number, "co_await", "stands only as a statement, as the whole value of a "
                       "named variable, or in co_return co_await (g++ 12 miscompiles the rest)")
            continue
        end = text.code.find(";", match.start())
        awaited = text.code[match.end():end]
        if re.search(r"\[[^\]]*\]\s*(?:\(|\{|mutable)|[\w>]\s*\{|[(,]\s*\{", awaited):
            report.add(path, number, "co_await", "no lambda and no braces inside the awaited "
                       "expression: make a named local first (g++ 12 miscompiles it)")


def check_sizes(path, text, report, ratchet, sizes):
    kind = "header" if path.endswith(".h") else "source"
    entries = [(path, kind, len(text.lines), 1)]
    entries += [(f"{path}:{name}", "function", length, line)
                for name, line, length in functions_of(text.code)]
    for name, kind, length, line in entries:
        if length <= AIM[kind]:
            continue
        sizes[name] = max(length, sizes.get(name, 0))
        limit = ratchet.get(name, AIM[kind])
        if length > max(HARD[kind], ratchet.get(name, 0)):
            report.add(path, line, "size", f"{name.rpartition(':')[2]} has {length} lines; "
                       f"{HARD[kind]} is the hard limit of a {kind}: split it")
        elif length > limit:
            report.add(path, line, "size", f"{name.rpartition(':')[2]} has {length} lines; "
                       f"a {kind} should have at most {limit}: split it by responsibility")


def check_file(path, content, layers, report, ratchet, sizes):
    text = FileText(content)
    check_lines(path, text, report)
    if not path.endswith((".h", ".cc")):
        return
    for number, line in enumerate(text.lines, 1):
        include = INCLUDE.match(line)
        if include and not allowed(text.lines, number, "layer"):
            layers.check(path, number, include[1], include[2], report)
    if path.endswith(".h") and "#pragma once" not in content:
        report.add(path, 1, "pragma", "a header begins with #pragma once")
    check_banned(path, text, report)
    check_coroutines(path, text, report)
    check_sizes(path, text, report, ratchet, sizes)


def repository_files():
    names = walk()
    if shutil.which("git"):
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.split("\n")
    return [n for n in names
            if n.endswith((".h", ".cc", ".py", ".cmake", "CMakeLists.txt", ".schema"))
            and not n.startswith(("tests/data/", "build/")) and "node_modules/" not in n
            and os.path.isfile(os.path.join(ROOT, n))]


def walk():
    """For a copy of the sources without git."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in ("build", ".git", "node_modules")]
        for file in files:
            yield os.path.relpath(os.path.join(folder, file), ROOT)


def read_ratchet():
    ratchet = {}
    with open(os.path.join(HERE, "ratchet.txt"), encoding="ascii") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                length, name = line.split(None, 1)
                ratchet[name.strip()] = int(length)
    return ratchet


def write_ratchet(sizes, report):
    counts = {k: n for k, n in report.counts.items() if not k.startswith(("[size]", "[layer]"))}
    with open(os.path.join(HERE, "ratchet.txt"), "w", encoding="ascii") as out:
        out.write("# Files and functions longer than they should be, with their lines, and files that\n"
                  "# break a rule, with how often. The numbers may only shrink; tidy.py --update writes\n"
                  "# this file.\n")
        for name, number in sorted({**sizes, **counts}.items()):
            out.write(f"{number} {name}\n")


def main():
    with open(os.path.join(HERE, "layers.txt"), encoding="ascii") as file:
        layers = Layers(file.read())
    if "--self" in sys.argv:
        import samples
        sys.exit(samples.run(layers, check_file, Report))
    report, sizes, ratchet = Report(), {}, read_ratchet()
    files = repository_files()
    for path in files:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            check_file(path, file.read(), layers, report, ratchet, sizes)
    if "--update" in sys.argv:
        write_ratchet(sizes, report)
        ratchet = read_ratchet()
    shown = report.problems if "--all" in sys.argv else report.new_problems(ratchet)
    for problem in shown:
        print(problem)
    print(f"{len(files)} files, {len(shown)} problems")
    sys.exit(1 if shown else 0)


if __name__ == "__main__":
    main()
