"""C sources as text: code without comments and strings, includes, functions, declarations.

No parser: what our style writes is regular enough for a scanner that knows braces, comments,
strings and preprocessor lines. Line numbers begin at 1 and are those of the file.
"""
import re
from functools import cached_property

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def blank(text):
    """The same lines, with nothing on them."""
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One file. `raw` is what it says, `code` the same without comments and without the inside of
    strings; both have the same lines and columns."""

    def __init__(self, path, raw):
        self.path = path
        self.raw = raw

    @cached_property
    def lines(self):
        return self.raw.splitlines()

    @cached_property
    def code(self):
        def cut(m):
            token = m.group()
            return blank(token) if token[0] == "/" else token[0] + blank(token[1:-1]) + token[0]
        return TOKEN.sub(cut, self.raw)

    @cached_property
    def code_lines(self):
        return self.code.splitlines()

    @cached_property
    def comments(self):
        """(line, text) of every comment."""
        return [(self.line_of(m.start()), m.group()) for m in TOKEN.finditer(self.raw)
                if m.group()[0] == "/"]

    @cached_property
    def includes(self):
        """(line, name, is_system) of every include."""
        found = []
        for number, (line, code) in enumerate(zip(self.lines, self.code_lines), 1):
            m = INCLUDE.match(line) if code.lstrip().startswith("#") else None
            if m:
                found.append((number, m.group(2), m.group(1) == "<"))
        return found

    def line_of(self, offset):
        return self.raw.count("\n", 0, offset) + 1

    @cached_property
    def variants(self):
        """The code with preprocessor lines blanked: once with the first branch of each #if, and,
        where there is an #else, once with the last one."""
        first = without_preprocessor(self.code_lines, take_last=False)
        last = without_preprocessor(self.code_lines, take_last=True)
        return [first] if first == last else [first, last]

    @cached_property
    def items(self):
        """Functions and declarations of the file, in order, each once."""
        found = {}
        for variant in self.variants:
            for item in top_level(variant):
                found.setdefault((item.line, item.head), item)
        return sorted(found.values(), key=lambda item: item.line)

    @cached_property
    def functions(self):
        return [item for item in self.items if item.body is not None]


class Item:
    """A function (head and body) or a declaration (head alone) at the top level of a file."""

    def __init__(self, line, head, body=None, body_line=0, end_line=0):
        self.line = line
        self.head = head
        self.body = body
        self.body_line = body_line      # of the opening brace
        self.end_line = end_line        # of the closing brace

    @property
    def name(self):
        m = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", self.head))
        return m.group(1) if m else "?"

    @property
    def body_lines(self):
        return max(self.end_line - self.body_line - 1, 0)


def branches(lines):
    """For each line, the (group, index) of the #if branches that it stands in; how many branches
    each group has; and which lines belong to the preprocessor."""
    stack, where, counts, is_directive = [], [], [], []
    continued = False
    for line in lines:
        m = None if continued else re.match(r"\s*#\s*(\w*)", line)
        directive = m.group(1) if m else ""
        is_directive.append(continued or m is not None)
        continued = is_directive[-1] and line.rstrip().endswith("\\")
        if directive in ("if", "ifdef", "ifndef"):
            stack.append((len(counts), 0))
            counts.append(1)
        elif directive in ("else", "elif") and stack:
            group = stack.pop()[0]
            stack.append((group, counts[group]))
            counts[group] += 1
        elif directive == "endif" and stack:
            stack.pop()
        where.append(tuple(stack))
    return where, counts, is_directive


def without_preprocessor(lines, take_last):
    where, counts, is_directive = branches(lines)
    kept = []
    for line, groups, directive in zip(lines, where, is_directive):
        wanted = all(index == (counts[group] - 1 if take_last else 0) for group, index in groups)
        kept.append(line if wanted and not directive else blank(line))
    return "\n".join(kept)


def top_level(code):
    """The items of code that has no preprocessor lines."""
    code = re.sub(r'\bextern\s+"[^"]*"\s*\{', lambda m: blank(m.group()), code)
    depth, start, opened, is_function = 0, None, 0, False
    line = 1
    start_line = opened_line = 1
    for i, c in enumerate(code):
        if c == "\n":
            line += 1
            continue
        if start is None and not c.isspace() and c not in "};":
            start, start_line = i, line
        if c == "{":
            if depth == 0 and start is not None:
                head = code[start:i]
                is_function = "(" in head and "=" not in head
                opened, opened_line = i, line
            depth += 1
        elif c == "}" and depth > 0:
            depth -= 1
            if depth == 0 and is_function:
                yield Item(start_line, code[start:opened].strip(), code[opened + 1:i],
                           opened_line, line)
                start, is_function = None, False
        elif c == ";" and depth == 0 and start is not None:
            yield Item(start_line, code[start:i].strip())
            start = None


def without_braces(text):
    """Text with every {...} gone."""
    while True:
        shorter = re.sub(r"\{[^{}]*\}", " ", text)
        if shorter == text:
            return text
        text = shorter


def is_mutable_variable(head):
    """Does a declaration (without its semicolon) make a variable that can be written to?"""
    if re.match(r"(extern\s+)?\w+_fn\s+[\w\s,]+$", head):
        return False                    # functions declared through their type
    head = without_braces(head).split("=")[0].strip()
    if re.match(r"(typedef|static_assert|_Static_assert)\b", head):
        return False
    if re.match(r"((struct|union|enum)\b\s*\w*\s*)?$", head):
        return False                    # a type, or nothing
    head = re.sub(r"\b(_Alignas|alignas|__attribute__)\s*\(+[^()]*\)+", "", head)
    paren = head.find("(")
    if paren >= 0 and not re.match(r"\(\s*\*", head[paren:]):
        return False                    # a prototype, or a macro that makes functions
    head = re.sub(r"\[[^\]]*\]", "", head)
    if paren >= 0:
        head = re.sub(r"\)\s*\(.*$", "", head, flags=re.DOTALL)
    tail = head.rsplit("*", 1)[1] if "*" in head else head
    return not re.search(r"\bconst\b", tail)
