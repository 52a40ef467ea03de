/* spec_rules.c - the rules of a dataset spec that rows are checked by.
 * May call: base/, source/yaml.h, spec_own.h.
 */
#include "update/spec_own.h"

#define MAX_RULES 200

static const char *const rule_names[] = {"required", "type",   "range",
                                         "allowed",  "unique", "calendar"};
static const char *const action_names[] = {"fail", "quarantine", "warn"};

const char *lochan_rule__name(const lochan_rule *rule) {
    return rule_names[rule->kind];
}

static bool is_number(const lochan_type *type) {
    return (type->id >= LOCHAN_TYPE_INT8 && type->id <= LOCHAN_TYPE_FLOAT64) ||
           type->id == LOCHAN_TYPE_DECIMAL128;
}

static lochan_status read_columns(lochan_dataset_spec *spec, const lochan_yaml_node *node,
                                  lochan_rule *rule, lochan_error *err) {
    const char *key = lochan_yaml__get(node, "columns") ? "columns" : "column";
    LOCHAN_TRY(lochan_spec__columns(spec, node, key, &rule->columns, &rule->n_columns, err));
    if (rule->kind == LOCHAN_RULE_CALENDAR) {
        static const char *const time[] = {"time"};
        if (!spec->calendar.source || !lochan_dataset_spec__column(spec, "time"))
            return lochan_yaml__error(node, err,
                                      "rule calendar needs a calendar and a time_column");
        rule->columns = time;
        rule->n_columns = 1;
        return LOCHAN_OK;
    }
    if (rule->n_columns == 0)
        return lochan_yaml__error(node, err, "rule %s needs a column", rule_names[rule->kind]);
    if (rule->n_columns > 1 && rule->kind != LOCHAN_RULE_UNIQUE)
        return lochan_yaml__error(node, err, "rule %s takes one column", rule_names[rule->kind]);
    return LOCHAN_OK;
}

static lochan_status read_limits(lochan_dataset_spec *spec, const lochan_yaml_node *node,
                                 lochan_rule *rule, lochan_error *err) {
    const double most = 1.7976931348623157e308;
    const lochan_yaml_node *min = lochan_yaml__get(node, "min"),
                           *max = lochan_yaml__get(node, "max");
    const lochan_yaml_node *values = lochan_yaml__get(node, "values");
    bool range = rule->kind == LOCHAN_RULE_RANGE;
    if ((min || max) && !range)
        return lochan_yaml__key_error(min ? min : max, err, "belongs to rule range");
    if ((values != NULL) != (rule->kind == LOCHAN_RULE_ALLOWED))
        return lochan_yaml__error(node, err, "values: rule allowed has them, and no other");
    if (values)
        return lochan_spec__list(spec, node, "values", &rule->values, &rule->n_values, err);
    if (!range)
        return LOCHAN_OK;
    const lochan_dataset_column *column = lochan_dataset_spec__column(spec, rule->columns[0]);
    if (!column || !is_number(&column->type))
        return lochan_yaml__error(node, err, "rule range: column '%s' holds no numbers",
                                  rule->columns[0]);
    if (!min && !max)
        return lochan_yaml__error(node, err, "rule range needs min, max or both");
    rule->has_min = min != NULL;
    rule->has_max = max != NULL;
    if (min)
        LOCHAN_TRY(lochan_yaml__to_double(min, -most, most, &rule->min, err));
    if (max)
        LOCHAN_TRY(lochan_yaml__to_double(max, -most, most, &rule->max, err));
    if (min && max && rule->min > rule->max)
        return lochan_yaml__error(node, err, "rule range: min is larger than max");
    return LOCHAN_OK;
}

static lochan_status read_rule(lochan_dataset_spec *spec, const lochan_yaml_node *node,
                               lochan_rule *rule, lochan_error *err) {
    static const char *const keys[] = {"rule", "column", "columns", "min",
                                       "max",  "values", "on_error"};
    const lochan_yaml_node *name;
    int kind, action = 0;
    LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(node, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__require(node, "rule", &name, err));
    LOCHAN_TRY(lochan_yaml__to_choice(name, rule_names, LOCHAN_COUNTOF(rule_names), &kind, err));
    LOCHAN_TRY(lochan_yaml__get_choice(node, "on_error", action_names, LOCHAN_COUNTOF(action_names),
                                       &action, err));
    rule->kind = (lochan_rule_kind)kind;
    rule->action = (lochan_rule_action)action;
    LOCHAN_TRY(read_columns(spec, node, rule, err));
    if (rule->kind == LOCHAN_RULE_TYPE && rule->action == LOCHAN_RULE_WARN)
        return lochan_yaml__error(node, err,
                                  "rule type: a value that cannot be read cannot be kept; use "
                                  "fail or quarantine");
    return read_limits(spec, node, rule, err);
}

lochan_status lochan_spec__read_rules(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                      lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(root, "validation");
    if (!node)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_LIST, err));
    if (node->count > MAX_RULES)
        return lochan_yaml__error(node, err, "validation: at most %d rules", MAX_RULES);
    lochan_rule *rules = lochan_arena__array(&spec->arena, node->count + 1, sizeof *rules);
    if (!rules)
        return lochan_error__nomem(err);
    spec->rules = rules;
    for (const lochan_yaml_node *entry = node->first; entry; entry = entry->next) {
        LOCHAN_TRY(read_rule(spec, entry, &rules[spec->n_rules], err));
        spec->n_rules++;
    }
    return LOCHAN_OK;
}
