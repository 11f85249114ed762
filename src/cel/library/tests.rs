//! The libraries by way of expressions: tables whose every row was answered alike by a real API server's environment.

use std::collections::BTreeSet;

use super::all;
use crate::cel::value::text::display;
use crate::cel::{Env, Evaluator, Expect, Inputs, Program};
use crate::json::Arena;

fn evaluate(source: &str) -> Result<String, String> {
    let env = Env { minor: 37, patch_types: true, ..Env::default() };
    let program = Program::compile(source, &env, Expect::Any).map_err(|error| error.message)?;
    let arena = Arena::new();
    let inputs = Inputs::default();
    match Evaluator::new(&arena, inputs, &[], u64::MAX, None).evaluate(&program) {
        Ok(value) => Ok(display(&value)),
        Err(error) => Err(error.to_string()),
    }
}

fn assert_true(rows: &[&str]) {
    for row in rows {
        assert_eq!(evaluate(row), Ok("true".to_owned()), "{row}");
    }
}

fn assert_fails(rows: &[(&str, &str)]) {
    for (row, message) in rows {
        assert_eq!(evaluate(row), Err((*message).to_owned()), "{row}");
    }
}

#[test]
fn strings_count_characters() {
    assert_true(&[
        "'ta©o©αT'.charAt(2) == '©' && 'ta©o'.charAt(4) == ''",
        "'ta©o©αT'.indexOf('©') == 2 && 'ta©o©αT'.lastIndexOf('©') == 4",
        "'ta©o©αT'.indexOf('©', 3) == 4 && 'ta©o©αT'.lastIndexOf('©', 3) == 2",
        "'hello'.indexOf('', 100) == 100 && 'hello'.indexOf('l', 5) == -1 && 'hello'.indexOf('') == 0",
        "'hello'.lastIndexOf('') == 5 && 'hello'.lastIndexOf('zz') == -1 && 'hello'.lastIndexOf('l', 5) == -1",
        "'ta©o'.substring(2) == '©o' && 'ta©o'.substring(1, 3) == 'a©' && 'ta©o'.substring(4) == ''",
        "'TacoCÆt'.lowerAscii() == 'tacocÆt' && 'TacoCÆt'.upperAscii() == 'TACOCÆT'",
        "' \\f\\n\\r\\t\\vx\\u0085\\u00a0\\u2028'.trim() == 'x' && '\\u200b'.trim() == '\\u200b'",
    ]);
    assert_fails(&[
        ("'a'.charAt(2)", "index out of range: 2"),
        ("'a'.charAt(-1)", "index out of range: -1"),
        ("'a'.indexOf('a', -1)", "index out of range: -1"),
        ("'a'.substring(2)", "index out of range: 2"),
        ("'a'.substring(1, 0)", "invalid substring range. start: 1, end: 0"),
    ]);
}

#[test]
fn strings_are_split_joined_replaced_and_quoted() {
    assert_true(&[
        "'a,b,,c'.split(',') == ['a', 'b', '', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'a,b'.split(',', 0) == [] && 'a,b'.split(',', -1) == ['a', 'b'] && ''.split(',') == ['']",
        "'aé'.split('') == ['a', 'é'] && 'abc'.split('', 2) == ['a', 'bc'] && ''.split('') == []",
        "'aaa'.replace('a', 'b') == 'bbb' && 'aaa'.replace('a', 'b', 2) == 'bba' && 'a'.replace('a', 'b', 0) == 'a'",
        "'ab'.replace('', '-') == '-a-b-' && 'ab'.replace('', '-', 2) == '-a-b'",
        "['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab' && [].join('-') == ''",
        r#"strings.quote('a"\n\\') == '"a\\"\\n\\\\"'"#,
        "jsonpatch.escapeKey('k8s.io/my~label') == 'k8s.io~1my~0label'",
    ]);
    assert_fails(&[("[dyn('a'), dyn(1)].join()", "join: invalid input: 1")]);
}

#[test]
fn format_prints_as_upstream_does() {
    assert_true(&[
        "'%s %d %%'.format(['a', 7]) == 'a 7 %'",
        "'%s'.format([[1, 'a', 1.5, null]]) == '[1, \"a\", 1.500000, null]'",
        "'%s'.format([{'b': 1, 'a': duration('1m')}]) == '{\"a\":duration(\"60s\"), \"b\":1}'",
        "'%s'.format([timestamp('2023-02-03T23:31:20.5Z')]) == '2023-02-03T23:31:20.5Z'",
        "'%f'.format([-1234567.891]) == '-1,234,567.891000' && '%.0f'.format([2.5]) == '2'",
        "'%f %f'.format(['NaN', '-Infinity']) == 'NaN -∞'",
        "'%.300f'.format([0.5]) == '0.50000000000000000000000000000000000000000000'",
        "'%e'.format([1052.032911275]) == '1.052033×10⁰³' && '%.20e'.format([1.5]) == '       1.500000×10⁰⁰'",
        "'%b %x %X %o'.format([-5, 255, 'hi~', 8u]) == '-101 ff 68697E 10'",
    ]);
    assert_fails(&[
        (
            "dyn('%d').format(['a'])",
            "error during formatting: decimal clause can only be used on integers, was given string",
        ),
        ("dyn('%q').format([1])", "could not parse formatting clause: unrecognized formatting clause \"q\""),
        ("dyn('%').format([1])", "unexpected end of string"),
        ("dyn('%s').format([])", "index 0 out of range"),
        (
            "dyn('%.99999f').format([1.0])",
            "could not parse formatting clause: error while parsing precision: precision 99999 exceeds maximum allowed \
             precision 32767",
        ),
    ]);
}

#[test]
fn lists_are_summed_ordered_and_searched() {
    assert_true(&[
        "[1, 2, 3].sum() == 6 && [].sum() == 0 && [duration('1s'), duration('2s')].sum() == duration('3s')",
        "[3, 1, 2].min() == 1 && ['b', 'c'].max() == 'c' && [dyn(1), dyn(2.5), dyn(2u)].max() == 2.5",
        "[1, 1, 2].isSorted() && ![2, 1].isSorted() && [].isSorted() && [dyn(1), dyn('a')].isSorted()",
        "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && dyn([1]).indexOf(1.0) == 0",
        "['a'].includes('a') && dyn('a').includes('a') && !dyn(['a']).includes(1)",
        "[1, 2, 3].slice(1, 2) == [2] && [dyn(1), dyn([2])].flatten(1) == [1, 2] && [[1], [2]].flatten() == [1, 2]",
        "[dyn(1), dyn(2), dyn(1), dyn(1.0)].distinct() == [1, 2] && [3, 1].sort() == [1, 3] && lists.range(3).reverse() == [2, 1, 0]",
        "['bb', 'a'].sortBy(s, size(s)) == ['a', 'bb'] && [1, 2].first() == optional.of(1) && ![].last().hasValue()",
        "sets.contains([dyn(1), dyn(2)], [dyn(2u), dyn(1.0)]) && sets.equivalent([1], [1, 1]) && !sets.intersects([1], [])",
        "sets.contains(lists.range(20), [dyn(19.0)]) && !sets.intersects(lists.range(20), lists.range(25).slice(20, 25))",
    ]);
    assert_fails(&[
        ("[].min()", "min called on empty list"),
        ("[9223372036854775807, 1].sum()", "integer overflow"),
        ("[18446744073709551615u, 1u].sum()", "unsigned integer overflow"),
        ("[1].slice(-1, 1)", "cannot slice(-1, 1), negative indexes not supported"),
        ("[1].slice(1, 0)", "cannot slice(1, 0), start index must be less than or equal to end index"),
        ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
        ("[1].flatten(-1)", "level must be non-negative"),
        ("[dyn(1), dyn('a')].sort()", "list elements must have the same type"),
    ]);
}

#[test]
fn calls_that_cost_too_much_stop_before_the_work() {
    let limit = "operation cancelled: actual cost limit exceeded";
    assert_fails(&[
        ("lists.range(1000001)", limit),
        ("lists.range(708).distinct()", limit),
        ("lists.range(708).sort()", limit),
        ("sets.contains(lists.range(1001), lists.range(1000))", limit),
    ]);
    assert_true(&["lists.range(700).distinct().size() == 700", "lists.range(-1) == []"]);
}

#[test]
fn a_result_beyond_the_memory_limit_is_refused() {
    let source = "[lists.range(1700).map(i, '0123456789').join()].map(s, s.replace('', s).size())";
    assert_fails(&[(source, "operation cancelled: the evaluation's memory limit is exceeded")]);
}

#[test]
fn optionals_hold_a_value_or_none() {
    assert_true(&[
        "optional.of(1).value() == 1 && !optional.none().hasValue()",
        "[dyn(0), dyn(''), dyn(false), dyn(null), dyn([]), dyn({}), dyn(0.0)].all(zero, !optional.ofNonZeroValue(zero).hasValue())",
        "optional.ofNonZeroValue(timestamp(0)).hasValue() && optional.ofNonZeroValue(quantity('0')).hasValue()",
        "optional.of(1).or(optional.of(1 / 0)).value() == 1 && optional.none().orValue(2) == 2",
        "[optional.of(1), optional.none()].unwrapOpt() == [1] && dyn(1).orValue(2) == 1",
    ]);
    assert_fails(&[("optional.none().value()", "optional.none() dereference")]);
}

#[test]
fn quantities_compute_as_in_kubernetes() {
    assert_true(&[
        "quantity('2Gi').asInteger() == 2147483648 && !quantity('1.5Gi').isInteger() && quantity('1Gi').isGreaterThan(quantity('1G'))",
        "quantity('1000m') == quantity('1') && quantity('0.1n') == quantity('1n')",
        "quantity('9Ei') == quantity('9223372036854775807') && !quantity('1Pi').isInteger()",
        "quantity('12E').compareTo(quantity('9223372036854775807')) == 1",
        "quantity('123456789012345678901234567890').compareTo(quantity('123456789012345678901234567889')) == 1",
        "quantity('1').add(quantity('500m')).asApproximateFloat() == 1.5 && quantity('1k').sub(1).asInteger() == 999",
        "quantity('9223372036854775807').add(1).sub(1) == quantity('9223372036854775807')",
        "sign(quantity('-1m')) == -1 && sign(quantity('5m').sub(quantity('0.005'))) == 0",
        "['0', '+1', '.5', '1.', '1e3', '1E-3', 'Ki', '-', '1e4294967296', '3.000000000000000000Ki'].all(q, isQuantity(q))",
        "['', '1K', '1.5.2', '1e', '1kk', ' 1', '1i', '１'].all(q, !isQuantity(q))",
        "quantity('1e2147483647').isGreaterThan(quantity('1e40')) && isQuantity('1234567890123456789e2147483647')",
    ]);
    assert_fails(&[
        ("quantity('1.5').asInteger()", "cannot convert value to integer"),
        (
            "quantity('1x')",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("quantity('1KK')", "unable to parse quantity's suffix"),
        ("quantity('e-10')", "unable to parse numeric part of quantity"),
        ("quantity('1234567890123456789e2147483647')", "quantities must not have more than 100000 digits"),
        ("quantity('1e200000').add(1)", "quantities must not have more than 100000 digits"),
        ("dyn(quantity('1')) == dyn(1)", "no such overload"),
    ]);
}

#[test]
fn patterns_mean_what_they_mean_in_go() {
    assert_true(&[
        "'foo bar'.find('[a-c]+') == 'ba' && 'aaab'.findAll('a') == ['a', 'a', 'a'] && 'aaa'.findAll('a', 2) == ['a', 'a']",
        "'aab'.findAll('a*') == ['aa', ''] && 'x'.findAll('y') == [] && 'x'.findAll('x', 0) == []",
        r"'é1'.find('\\w') == '1' && '٣4'.find('\\d') == '4' && 'é b'.find('\\bb') == 'b' && '\v '.find('\\s') == ' '",
        r"'a&b'.find('[a&&b]+') == 'a&b' && 'x[b]'.find('[[a]b]') == '[b]' && 'a-b'.find('[--b]+') == 'a-b'",
        r"'{,2}'.matches('^{,2}$') && '-'.matches('[a-]') && ']'.matches('[]]') && 'a'.matches('[[:alpha:]]')",
        r"'a.b'.matches('^\\Qa.b\\E$') && 'A'.matches('\\x41') && 'A'.matches('\\101') && '_'.matches('\\_')",
        r"'ABC'.matches('(?i)abc') && 'a\nb'.matches('(?s)a.b') && !'a\nb'.matches('a.b') && 'x\na'.matches('(?m)^a$')",
        r"'α'.matches('\\p{Greek}') && !'α'.matches('\\p{^Greek}') && 'ab'.matches('(?P<1>a)(?<n>b)')",
        r"'aaa'.find('(?U)a+') == 'a' && 'a'.matches('a(?i)B|C') == false && 'c'.matches('a(?i)B|C')",
        "'a'.matches('((((a{10}){10}){10}){0}|a)')",
    ]);
    let fails = |pattern: &str, message: &str| {
        let refused = super::re2::compile(pattern).err();
        assert_eq!(refused, Some(format!("error parsing regexp: {message}")), "{pattern}");
    };
    fails("a**", "invalid nested repetition operator: `**`");
    fails("a{2}{3}", "invalid nested repetition operator: `{2}{3}`");
    fails("a|*", "missing argument to repetition operator: `*`");
    fails("a{1001}", "invalid repeat count: `{1001}`");
    fails("(a{100}){11}", "invalid repeat count: `{11}`");
    fails("x{2,1}", "invalid repeat count: `{2,1}`");
    fails("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
    fails("(?<!a)", "invalid named capture: `(?<!a)`");
    fails("[z-a]", "invalid character class range: `z-a`");
    fails("[[:foo:]]", "invalid character class range: `[:foo:]`");
    fails(r"[a-\d]", r"invalid escape sequence: `\d`");
    fails(r"\C", r"invalid escape sequence: `\C`");
    fails(r"\8", r"invalid escape sequence: `\8`");
    fails(r"\pX", r"invalid character class range: `\pX`");
    fails(r"\p{Old_Italic}", r"invalid character class range: `\p{Old_Italic}`");
    fails("[a", "missing closing ]: `[a`");
    fails("(a", "missing closing ): `(a`");
    fails("a)", "unexpected ): `a)`");
    fails("\\", "trailing backslash at end of expression: ``");
}

#[test]
fn a_pattern_in_use_is_compiled_once() {
    let pattern = "^in use, [0-9]+ times$";
    let first = super::re2::compile(pattern).expect(pattern);
    for other in 0..100 {
        assert!(super::re2::compile(&format!("out of use {other}")).is_ok());
    }
    assert!(std::sync::Arc::ptr_eq(&first, &super::re2::compile(pattern).expect(pattern)));
    assert!(super::re2::compile_cached(pattern).expect(pattern).is_match("in use, 2 times"));
}

#[test]
fn patterns_that_are_too_large_are_refused() {
    let refused = |pattern: String| super::re2::compile(&pattern).err().unwrap_or_default();
    assert!(refused(r"\pL{1000}".repeat(20)).starts_with("error parsing regexp: expression too large"));
    assert!(refused("a".repeat(super::re2::MAX_PATTERN_BYTES + 1)).contains("expression too large"));
    assert!(refused("(".repeat(10_000) + &")".repeat(10_000)).contains("expression nests too deeply"));
    assert!(super::re2::compile(&"a".repeat(super::re2::MAX_PATTERN_BYTES)).is_ok());
}

#[test]
fn urls_are_read_as_in_go() {
    assert_true(&[
        "url('https://user:pw@Example.com:80/a%2Fb?x=1&x=2&y=%20+#f').getHost() == 'Example.com:80'",
        "url('http://[::1]:80/p').getHostname() == '::1' && url('http://[::1]:80/p').getPort() == '80'",
        "url('HTTP://a/b c').getScheme() == 'http' && url('http://a/b c').getEscapedPath() == '/b%20c'",
        "url('http://a/?x=1&x=2&y=%20+&z;=1').getQuery() == {'x': ['1', '2'], 'y': ['  ']}",
        "url('//host/path').getHost() == 'host' && url('mailto:a@b').getEscapedPath() == ''",
        "url('HTTP://a/%7E') == url('http://a/%7E') && url('http://a') != url('http://b')",
        "['/a', 'a:b', 'http://[::1%25eth0]/', '*', 'http:///p'].all(u, isURL(u))",
        "['', '../a', 'http://a b/', '/%zz', 'http://a:b/', 'http://[::1', 'http://[1.2.3.4]/'].all(u, !isURL(u))",
    ]);
    assert_fails(&[(
        "url('../a')",
        "URL parse error during conversion from string: parse \"../a\": invalid URI for request",
    )]);
}

#[test]
fn addresses_are_strict() {
    assert_true(&[
        "ip('::1').isLoopback() && ip('10.0.0.1').isGlobalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('::').isUnspecified() && ip('1.2.3.4').family() == 4",
        "ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1') && ip('::1') == ip('0::1')",
        "['01.2.3.4', '1.2.3', 'fe80::1%eth0', '::ffff:1.2.3.4', '1::2::3', '', 'abc'].all(a, !isIP(a))",
        "cidr('10.1.2.3/8').containsIP('10.9.9.9') && !cidr('10.0.0.0/8').containsIP(ip('::1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')",
        "string(cidr('10.1.2.3/8').masked()) == '10.0.0.0/8' && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
        "cidr('::/0').prefixLength() == 0 && cidr('0.0.0.0/0').containsIP('1.2.3.4') && string(ip('0::1')) == '::1'",
        "['10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0', '::1%e/64', '::ffff:1.2.3.4/100'].all(c, !isCIDR(c))",
    ]);
    assert_fails(&[
        (
            "ip('1.2.3')",
            "IP Address \"1.2.3\" parse error during conversion from string: ParseAddr(\"1.2.3\"): IPv4 address too short",
        ),
        ("ip('fe80::1%e')", "IP address \"fe80::1%e\" with zone value is not allowed"),
        ("ip('::ffff:1.2.3.4')", "IPv4-mapped IPv6 address \"::ffff:1.2.3.4\" is not allowed"),
        ("cidr('::/0').containsIP('x')", "no such overload"),
    ]);
}

#[test]
fn versions_have_precedence() {
    assert_true(&[
        "semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1')) && semver('1.2.3-2').isLessThan(semver('1.2.3-10'))",
        "semver('1.2.3-1').compareTo(semver('1.2.3-a')) == -1 && semver('1.2.3+a') == semver('1.2.3+b')",
        "semver('v01.2', true) == semver('1.2.0') && semver('v1', true).major() == 1 && isSemver('v1.2', true)",
        "['v1.2.3', '1.2', '01.2.3', '1.2.3-', '1.2.3-01', '1.2.3+', '18446744073709551616.0.0'].all(v, !isSemver(v))",
    ]);
    assert_fails(&[
        ("semver('1.2')", "No Major.Minor.Patch elements found"),
        ("semver('v1.2.3')", "Invalid character(s) found in major number \"v1\""),
        ("semver('1-a', true)", "short version cannot contain PreRelease/Build meta data"),
    ]);
}

#[test]
fn named_formats_give_reasons() {
    assert_true(&[
        "!format.dns1123Label().validate('my-name').hasValue() && !format.named('nope').hasValue()",
        "format.dns1123Label().validate('a.b').value() == ['must not contain dots']",
        "format.dns1035Label().validate('1a').value()[0].contains(\"(e.g. 'my-name',  or 'abc-123', regex used\")",
        "format.dns1123LabelPrefix().validate('ab-') == optional.none() && format.labelValue().validate('') == optional.none()",
        "format.qualifiedName().validate('/b').value() == ['prefix part must be non-empty']",
        "format.uuid().validate('x').value() == ['does not match the UUID format']",
        "format.byte().validate('').value() == ['invalid base64'] && !format.byte().validate('YQ==').hasValue()",
        "format.date().validate('2023-02-29').value() == ['invalid date'] && !format.date().validate('2024-02-29').hasValue()",
        "!format.datetime().validate('2023-01-02t03:04:05.1+01:00').hasValue()",
        "format.datetime().validate('2023-01-02T24:04:05Z').hasValue()",
        "format.uri().validate('x').value() == ['parse \"x\": invalid URI for request']",
        "format.uuid() == format.named('uuid').value() && format.uuid() != format.byte()",
    ]);
}

#[test]
fn no_name_and_no_overload_id_occurs_twice() {
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for function in all() {
        assert!(names.insert(function.name), "{} is declared twice", function.name);
        for overload in function.overloads {
            assert!(ids.insert(overload.id), "overload {} is declared twice", overload.id);
        }
    }
}
