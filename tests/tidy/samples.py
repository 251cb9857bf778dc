"""Small bad samples: each must give exactly the rule it is made for, and the good ones nothing."""

# (path, content, rule that must be reported or None)
SAMPLES = [
    ("base/a.cc", '#include "log/log.h"\n', "layer"),
    ("broker/a.cc", '#include "client/transport.h"\n', "layer"),
    ("broker/embedded/a.cc", '#include "client/transport.h"\n', None),
    ("client/a.cc", '#include "broker/broker.h"\n', "layer"),
    ("streams/a.cc", '#include "dsl/kstream.h"\n', "layer"),
    ("log/a.cc", '#include "record/batch.h"\n', None),
    ("log/a.cc", '#include "segment.h"\n', "include"),
    ("log/a.cc", "#include <boost/asio/post.hpp>\n", "third-party"),
    ("streams/state/a.h", "#pragma once\n#include <rocksdb/db.h>\n", "third-party"),
    ("streams/state/a.cc", "#include <rocksdb/db.h>\n", None),
    ("connect/a.cc", "#include <regex>\n", "third-party"),
    ("base/a.h", "int a();\n", "pragma"),
    ("base/a.cc", "int a;  // " + "x" * 100 + "\n", "columns"),
    ("base/a.cc", "// na\u00efve\n", "ascii"),
    ("base/a.cc", "// TO" + "DO later\n", "todo"),
    ("tests/base/a_test.cc", "void f() { std::this_thread::sleep_for(1s); }\n", "sleep"),
    ("tests/base/a_test.cc", "// sleep_for(1s)\nconst char* s = \"sleep_for(1)\";\n", None),
    ("tests/a.cc", "void f() { sleep_for(1s);  // tidy: allow sleep - a timer under test\n}\n", None),
    ("log/a.cc", 'void f() { printf("x"); }\n', "printf"),
    ("cli/a.cc", 'void f() { printf("x"); }\n', None),
    ("log/a.cc", "int f(char* s) { return atoi(s); }\n", "atoi"),
    ("log/a.cc", "void f() { assert(true); }\n", "assert"),
    ("log/a.cc", "static_assert(true);\n", None),
    ("client/a.cc", "int f() { return std::rand(); }\n", "random"),
    ("broker/a.cc", "Task<> f() { co_await g(); }\n", None),
    ("broker/a.cc", "Task<> f() { const auto [e, n] = co_await g(a, kUseTask); }\n", None),
    ("broker/a.cc", "Task<> f() { const Result<int> x = co_await g(); }\n", None),
    ("broker/a.cc", "Task<int> f() { co_return co_await g(); }\n", None),
    ("broker/a.cc", "Task<> f() { if (a) co_await g(); }\n", None),
    ("broker/a.cc", "Task<int> f() { if (a()) co_return co_await g(); }\n", None),
    ("broker/a.cc", "Task<> f() { if (a()) b = co_await g(); }\n", None),
    ("broker/a.cc", "Task<> f() { x[k()] = co_await g(); }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { for (;;) co_await g(); }\n", None),
    ("broker/a.cc", "Task<> f() { MILLRACE_CO_TRY(const int x, co_await g()); }\n", None),
    ("broker/a.cc", "Task<> f() { if (co_await g()) return; }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { while (!co_await g()) h(); }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { h(co_await g()); }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { auto x = a ? co_await g() : co_await h(); }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { co_await g(Point{1, 2}); }\n", "co_await"),
    ("broker/a.cc", "Task<> f() { co_await on(s, [&] { return 1; }); }\n", "co_await"),
    ("log/a.cc", "void f() {\n" + "  g();\n" * 45 + "}\n", "size"),
    ("log/a.cc", "void f() {\n" + "  g();\n" * 30 + "}\n", None),
    ("log/a.cc", "namespace a {\nstruct S {\n" + "  int x;\n" * 45 + "};\n}\n", None),
    ("log/a.cc", "// line\n" * 501, "size"),
    ("log/a.h", "#pragma once\n" + "int a;\n" * 201, "size"),
]


def run(layers, check_file, report_type):
    failed = 0
    for path, content, rule in SAMPLES:
        report = report_type()
        check_file(path, content, layers, report, {}, {})
        rules = {p.split("[", 1)[1].split("]", 1)[0] for p in report.problems}
        if rules != ({rule} if rule else set()):
            failed += 1
            print(f"sample for {rule or 'nothing'} gave {sorted(rules) or 'nothing'}:\n{content}")
    print(f"{len(SAMPLES) - failed} passed, {failed} failed")
    return 1 if failed else 0
