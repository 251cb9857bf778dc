"""The schema language: reads schema/*.schema into Message, Struct and Field objects."""
import glob
import os
import re
from dataclasses import dataclass, field

FOREVER = 32767
FIXED = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint16": 2, "uint32": 4,
         "float64": 8, "uuid": 16}
VARIABLE = {"string", "bytes", "records"}
KINDS = {"request": "kRequest", "response": "kResponse", "header": "kHeader",
         "metadata": "kMetadataRecord", "group key": "kGroupKey", "group value": "kGroupValue",
         "transaction key": "kTransactionKey", "transaction value": "kTransactionValue",
         "share key": "kShareKey", "share value": "kShareValue",
         "remote log": "kRemoteLogRecord", "data": "kData"}


class SchemaError(Exception):
    pass


@dataclass(frozen=True)
class Range:
    """Versions first..last; last is FOREVER for `3+`."""
    first: int
    last: int

    def covers(self, other):
        return self.first <= other.first and other.last <= self.last

    def cut(self, other):
        """The part inside `other`, or None."""
        low, high = max(self.first, other.first), min(self.last, other.last)
        return Range(low, high) if low <= high else None


NEVER = Range(FOREVER, -1)


def parse_range(text):
    if text.endswith("+"):
        return Range(int(text[:-1]), FOREVER)
    first, _, last = text.partition("-")
    return Range(int(first), int(last or first))


def snake(name):
    name = name.replace("KRaft", "Kraft")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


@dataclass
class Field:
    name: str
    type: str              # "int32", "string", "TopicData"; without the brackets of an array
    array: bool
    versions: Range        # cut to the message's
    nullable: Range        # NEVER when not
    tag: int               # -1 when not tagged; else tagged in all of its versions
    ignorable: bool
    classic: bool          # keeps the classic encoding in flexible versions
    default: str | None
    comment: str
    struct: "Struct | None" = None

    @property
    def member(self):
        return snake(self.name)

    @property
    def json_name(self):
        return self.name[0].lower() + self.name[1:]

    @property
    def optional(self):
        """Held in a std::optional; records have a null state of their own."""
        return self.nullable is not NEVER and self.type != "records"


@dataclass
class Struct:
    name: str
    fields: list = field(default_factory=list)

    cpp: str = ""          # its C++ name
    symbol: str = ""       # the ending of its functions' names

    def min_size(self, message, versions):
        """Fewest bytes that it takes in any of these versions."""
        every = range(versions.first, versions.last + 1)
        return max(1, min(self._size_at(message, v) for v in every))

    def _size_at(self, message, version):
        flexible = message.is_flexible(version)
        size = 1 if flexible else 0
        for f in self.fields:
            if not f.versions.first <= version <= f.versions.last:
                continue
            if f.tag >= 0:
                continue
            if f.array or f.type in VARIABLE:
                short = 2 if f.type == "string" and not f.array else 4
                size += 1 if flexible and not f.classic else short
            elif f.type in FIXED:
                size += FIXED[f.type]
            else:
                size += 1 if f.optional else f.struct._size_at(message, version)
        return size


@dataclass
class Message(Struct):
    kind: str = ""
    key: int = -1
    versions: Range = NEVER
    flexible: int = FOREVER
    options: dict = field(default_factory=dict)
    structs: list = field(default_factory=list)   # nested ones, each after those it uses
    comment: list = field(default_factory=list)
    schema: str = ""      # the file's name without .schema

    def is_flexible(self, version):
        return version >= self.flexible

    @property
    def ever_flexible(self):
        return self.flexible <= self.versions.last

    def weight(self):
        return len(self.fields) + sum(len(s.fields) + 2 for s in self.structs) + 4


@dataclass
class Api:
    name: str
    key: int
    request: Message | None
    response: Message | None


HEAD = re.compile(r"(\w+): (request|response|header|metadata|remote log|data|"
                  r"(?:group|transaction|share) (?:key|value))"
                  r"(?: (\d+))?(, .*)?$")
FIELD = re.compile(r"(\w+): (\[?)(\w+)\]?(\?(\d[\d+-]*)?)?(?: @(\S+))?(?: tag (\d+))?"
                   r"( ignorable)?( key)?( classic)?(?: = (\S+))?$")


class Parser:
    def __init__(self, path):
        self.path = path
        self.schema = os.path.basename(path).removesuffix(".schema")
        self.messages = []
        self.removed = []

    def fail(self, number, why):
        raise SchemaError(f"{self.path}:{number}: {why}")

    def parse(self):
        comment, body, head = [], [], None
        with open(self.path, encoding="ascii") as f:
            lines = f.read().split("\n")
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                if body or head:
                    self.finish(head, body, comment)
                    comment, body, head = [], [], None
                comment = comment + [line[2:]] if line.startswith("#") else []
            elif not line.startswith(" "):
                if head:
                    self.finish(head, body, comment)
                    comment, body = [], []
                head = (number, line)
            else:
                body.append((number, line))
        if head:
            self.finish(head, body, comment)
        return self

    def finish(self, head, body, comment):
        number, line = head
        match = HEAD.match(line)
        if not match:
            self.fail(number, f"not a message head: {line}")
        name, kind, key, rest = match.groups()
        words = [w.strip() for w in (rest or "").split(",") if w.strip()]
        if "removed" in words:
            self.removed.append((name, kind, int(key)))
            return
        options = dict(w.split(" ", 1) if " " in w else (w, "") for w in words)
        message = Message(name, kind=kind, key=int(key) if key else -1, comment=comment,
                          schema=self.schema, versions=parse_range(options["versions"]),
                          options=options)
        if "flexible" in options:
            message.flexible = parse_range(options["flexible"]).first
        self.fields(message, body)
        self.messages.append(message)

    def fields(self, message, body):
        shapes, stack, inline = {}, [(0, message)], []
        for number, line in body:
            depth = (len(line) - len(line.lstrip())) // 2
            while stack[-1][0] >= depth:
                stack.pop()
            owner = stack[-1][1]
            text, _, comment = line.strip().partition("  #")
            text = text.strip()
            if text.startswith("struct "):
                shape = self.shape(shapes, text.split()[1], number)
                stack.append((depth, shape))
                continue
            f = self.field(message, text, comment.strip(), number)
            if isinstance(owner, Field):
                if owner.struct is None:
                    owner.struct = self.shape(shapes, owner.type, number)
                owner = owner.struct
            owner.fields.append(f)
            inline.append((f, number))
            stack.append((depth, f))
        for f, number in inline:
            if f.struct is None and f.type not in FIXED and f.type not in VARIABLE:
                if f.type not in shapes:
                    self.fail(number, f"unknown type {f.type}")
                f.struct = shapes[f.type]
        message.structs = self.ordered(message)

    def shape(self, shapes, name, number):
        if name in shapes:
            self.fail(number, f"struct {name} stands twice")
        shapes[name] = Struct(name)
        return shapes[name]

    def field(self, message, text, comment, number):
        match = FIELD.match(text)
        if not match:
            self.fail(number, f"not a field: {text}")
        (name, array, kind, null, null_range, at, tag, ignorable, _, classic,
         default) = match.groups()
        if array and kind in ("bytes", "records"):
            self.fail(number, f"arrays of {kind} are not supported")
        versions = (parse_range(at) if at else Range(0, FOREVER)).cut(message.versions)
        if versions is None:
            self.fail(number, f"{name} stands in no version of {message.name}")
        nullable = NEVER
        if null:
            nullable = parse_range(null_range) if null_range else Range(0, FOREVER)
            nullable = nullable.cut(versions) or NEVER
        if tag and message.flexible > versions.first:
            self.fail(number, f"{name} is tagged in a version that is not flexible")
        return Field(name, kind, bool(array), versions, nullable, int(tag) if tag else -1,
                     bool(ignorable), bool(classic), default, comment)

    @staticmethod
    def ordered(message):
        done = []

        def visit(struct):
            for f in struct.fields:
                if f.struct is not None and f.struct not in done:
                    visit(f.struct)
                    done.append(f.struct)
        visit(message)
        return done


def read_schemas(folder):
    """All messages in file order, and the apis by key (removed ones without messages)."""
    messages, apis = [], {}
    for path in sorted(glob.glob(os.path.join(folder, "*.schema"))):
        parser = Parser(path).parse()
        messages += parser.messages
        for name, kind, key in parser.removed:
            if kind == "request":
                apis[key] = Api(name.removesuffix("Request"), key, None, None)
    answers = {m.key: m for m in messages if m.kind == "response"}
    for m in messages:
        if m.kind == "request":
            apis[m.key] = Api(m.name.removesuffix("Request"), m.key, m, answers[m.key])
    return messages, [apis[key] for key in sorted(apis)]
