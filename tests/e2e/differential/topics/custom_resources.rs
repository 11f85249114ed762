//! Apply configurations of custom resources: every kind of field, and values of every type, in their places and not.

use serde_json::json;

use super::super::api::widget;
use super::super::suite::{Suite, apply, merge};
use super::mutations::mutating;

/// The suites.
pub fn suites() -> Vec<Suite> {
    let texts = [
        "Object{spec: Object.spec{size: 7}}",
        "Object{spec: Object.spec{size: 'seven'}}",
        "Object{spec: Object.spec{size: 7.5}}",
        "Object{spec: Object.spec{name: 'x', on: true}}",
        "Object{spec: Object.spec{tags: ['x']}}",
        "Object{spec: Object.spec{tags: []}}",
        "Object{spec: Object.spec{set: ['x', 's']}}",
        "Object{spec: Object.spec{set: ['x', 'x']}}",
        "Object{spec: Object.spec{parts: [Object.spec.parts{name: 'one', size: 9}, Object.spec.parts{name: 'three'}]}}",
        "Object{spec: Object.spec{parts: [Object.spec.parts{size: 9}]}}",
        "Object{spec: Object.spec{labels: {'new': 'x'}}}",
        "Object{spec: Object.spec{labels: {'new': 1}}}",
        "Object{spec: Object.spec{sealed: Object.spec.sealed{b: '2'}}}",
        "Object{spec: Object.spec{sealed: {'b': '2'}}}",
        "Object{spec: Object.spec{free: {'any': 'x', 'other': 'y'}}}",
        "Object{spec: Object.spec{free: Object.spec.free{more: 1}}}",
        "Object{spec: Object.spec{free: {'list': [1, 2]}}}",
        "Object{spec: Object.spec{free: {'list': []}}}",
        "Object{spec: Object.spec{free: {'list': ['a'] + ['b']}}}",
        "Object{spec: Object.spec{free: {'list': object.spec.?tags.orValue([])}}}",
        "Object{spec: Object.spec{free: {'map': {'a': 'b', 'c': 1}}}}",
        "Object{spec: Object.spec{free: {'typed': Object.spec.free.typed{a: 'b'}}}}",
        "Object{spec: Object.spec{free: {'bytes': b'hi'}}}",
        "Object{spec: Object.spec{labels: {'new': ['x', 'y']}}}",
        "Object{spec: Object.spec{labels: {'new': {'x': 'y'}}}}",
        "Object{spec: Object.spec{name: b'hi'}}",
        "Object{spec: Object.spec{size: b''}}",
        "Object{spec: Object.spec{on: b'hi'}}",
        "Object{spec: Object.spec{port: b'hi'}}",
        "Object{spec: Object.spec{set: [['x']]}}",
        "Object{spec: Object.spec{set: 'x y'.split(' ')}}",
        "Object{spec: Object.spec{tags: 'x,y'.split(',') + ['z']}}",
        "Object{spec: Object.spec{tags: object.spec.?tags.orValue([]).map(t, t + 'x')}}",
        "Object{spec: Object.spec{tags: ['b', 'a'].sort()}}",
        "Object{spec: Object.spec{tags: ['b', 'a', 'b'].distinct()}}",
        "Object{spec: Object.spec{tags: 'a1b2'.findAll('[0-9]')}}",
        "Object{spec: Object.spec{tags: [1, 2].map(i, string(i))}}",
        "Object{spec: Object.spec{free: {'list': 'x y'.split(' ')}}}",
        "Object{spec: Object.spec{name: duration('90s')}}",
        "Object{spec: Object.spec{free: {'at': timestamp('2024-01-02T03:04:05Z')}}}",
        "Object{spec: Object.spec{name: timestamp('2024-01-02T03:04:05Z')}}",
        "Object{spec: Object.spec{name: timestamp('2024-01-02T03:04:05.25+01:30')}}",
        "Object{spec: Object.spec{free: {'at': timestamp('2024-01-02T03:04:05.25+01:30')}}}",
        "Object{spec: Object.spec{name: 'a b'.split(' ')}}",
        "Object{spec: Object.spec{size: 'a b'.split(' ')}}",
        "Object{spec: Object.spec{size: duration('1ms')}}",
        "Object{spec: Object.spec{free: {'for': duration('1500us')}}}",
        "Object{metadata: Object.metadata{annotations: {'age': duration('90s')}}}",
        "Object{metadata: Object.metadata{annotations: {'age': string(duration('90s'))}}}",
        "Object{spec: Object.spec{parts: [{'name': 'one'}]}}",
        "Object{spec: Object.spec{port: 80}}",
        "Object{spec: Object.spec{port: 'http'}}",
        "Object{spec: Object.spec{nope: 1}}",
        "Object{spec: Object.spec{color: 'blue'}}",
        "Object{spec: Object.spec{color: null}}",
        "Object{spec: null}",
        "Object{status: Object.status{ready: true}}",
    ];
    let suites = texts.iter().map(|text| {
        let full = json!({"spec": {"size": 3, "tags": ["p"], "set": ["s", "t"], "parts": [{"name": "one", "size": 1}, {"name": "two"}],
            "labels": {"k": "v"}, "sealed": {"a": "1"}, "free": {"any": [1]}, "color": "red", "port": "https"}});
        let suite = mutating("mutations: apply to custom resources", "*/*/widgets", &[apply(text)]);
        suite
            .object(widget("changed", json!({"spec": {"size": 1}})))
            .create_all([widget("full", full), widget("bare", json!({}))])
            .ask(merge(&widget("changed", json!({})), json!({"spec": {"size": 2}})))
    });
    suites.collect()
}
