"""C++ text as the checks need it: code without comments and strings, functions, statements."""
import bisect
import re

CONTROL = re.compile(r"^(?:if|for|while|switch|catch|else|do|try|return|co_return)\b")
TYPE = re.compile(r"\b(?:namespace|class|struct|union|enum|concept|requires)\b(?![^(]*\)\s*$)")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                   r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)


def blank(match):
    """Comments become blanks, strings keep their quotes; line breaks stay."""
    text = match.group()
    if text[0] == "/":
        return re.sub(r"[^\n]", " ", text)
    return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]


class FileText:
    def __init__(self, content):
        self.lines = content.splitlines()
        self.code = TOKEN.sub(blank, content)
        # Preprocessor lines have rules of their own; macros are short.
        self.code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                           self.code, flags=re.M)
        self.starts = [0]
        for match in re.finditer("\n", self.code):
            self.starts.append(match.end())

    def line_of(self, position):
        return bisect.bisect_right(self.starts, position)


def statement_before(code, position):
    """The text between the start of the statement and a position in it."""
    start = max(code.rfind(c, 0, position) for c in ";{}")
    # case x: and labels end where the statement begins
    text = code[start + 1:position]
    return re.sub(r"^\s*(?:case\s[^?]*?|default)\s*:(?!:)", "", text)


def functions_of(code):
    """(name, first line, number of lines) of each function body, outermost ones only."""
    found, stack, start = [], [], 0
    line = 1
    inside = None  # depth of the body that is open
    for i, c in enumerate(code):
        if c == "\n":
            line += 1
        elif c == ";":
            start = i + 1
        elif c == "{":
            head = code[start:i].strip()
            stack.append((head, line))
            if inside is None and is_function(head):
                inside = len(stack)
            start = i + 1
        elif c == "}" and stack:
            head, first = stack.pop()
            if inside == len(stack) + 1:
                inside = None
                name = re.search(r"([~\w:]+|operator\S+)\s*\((?!.*\bnoexcept\()", head, re.S)
                found.append((name.group(1) if name else "?", first, line - first + 1))
            start = i + 1
    return found


def is_function(head):
    if "(" not in head or head.endswith(("=", "(", ",")) or CONTROL.match(head):
        return False
    if TYPE.search(head) and not re.search(r"\)\s*(?:const|noexcept|override|final|->.*)?\s*$", head):
        return False
    return not re.match(r"^(?:namespace|class|struct|union|enum|extern)\b", head) \
        or re.match(r"^struct\s+\w+\s+\w+\s*\(", head) is not None
