/*
 * Completions for bash, zsh and fish, from the same tables.
 *
 * Bash gets one function: it finds the verb on the line (of one word or two), then offers what fits
 * after the word before the cursor. Zsh gets a function per verb on top of _arguments, fish a list
 * of conditions.
 */
#include "cli/out.h"
#include "cli/usage.h"

/* In the shell's '...': an apostrophe ends the quotes, stands alone and begins them anew. */
static void put_quoted(const char *text)
{
    out_str("'");
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            out_str("'\\''");
        else
            out_put(span_of(text, 1));
    }
    out_str("'");
}

static void put_choices(const char *choices)
{
    for (; *choices != '\0'; choices++)
        out_put(span_of(*choices == '|' ? " " : choices, 1));
}

/* "dump", "lab_run": the verb as part of a function's name. */
static void put_identifier(const char *verb)
{
    for (; *verb != '\0'; verb++)
        out_put(span_of(*verb == ' ' || *verb == '-' ? "_" : verb, 1));
}

static struct span first_word(const char *name)
{
    return span_of(name, strcspn(name, " "));
}

static bool is_first_of_family(size_t i)
{
    struct span word = first_word(verb_at(i)->name);
    for (size_t k = 0; k < i; k++)
        if (span_eq(first_word(verb_at(k)->name), word))
            return false;
    return true;
}

static bool has_family(const struct verb *v)
{
    return strchr(v->name, ' ') != NULL;
}

/* The first words of all verbs, each once. */
static void put_first_words(void)
{
    const char *before = "";
    for (size_t i = 0; verb_at(i); i++) {
        if (!is_first_of_family(i))
            continue;
        out_str(before);
        out_put(first_word(verb_at(i)->name));
        before = " ";
    }
}

/* The second words of the family that verb i is the first of. */
static void put_second_words(size_t i)
{
    struct span word = first_word(verb_at(i)->name);
    const char *before = "";
    for (; verb_at(i); i++) {
        const struct verb *v = verb_at(i);
        if (!has_family(v) || !span_eq(first_word(v->name), word))
            continue;
        out_f("%s%s", before, v->name + word.n + 1);
        before = " ";
    }
}

/* ---- bash ---- */

static void bash_option_values(const struct opt *o)
{
    out_f("        --%s", o->name);
    if (o->letter != 0)
        out_f("|-%c", o->letter);
    out_str(") ");
    if (o->type == OPT_FILE) {
        out_str("compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"));;\n");
    } else if (o->type == OPT_CHOICE) {
        out_str("COMPREPLY=($(compgen -W '");
        put_choices(o->choices);
        out_str("' -- \"$cur\"));;\n");
    } else {
        out_str(";;\n");
    }
}

static void bash_operands(const struct verb *v)
{
    for (size_t i = 0; i < v->operands_n; i++) {
        const struct operand *o = &v->operands[i];
        if (o->words)
            out_f("            COMPREPLY+=($(compgen -W \"$(%s 2>/dev/null)\" -- \"$cur\"))\n",
                  o->words);
        else if (o->kind == OPERAND_FILE)
            out_str("            compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\"))\n");
        else if (o->kind == OPERAND_HOST)
            out_str("            COMPREPLY+=($(compgen -A hostname -- \"$cur\"))\n");
    }
}

static void bash_verb(const struct verb *v)
{
    out_str("_oriel_");
    put_identifier(v->name);
    out_str("() {\n    case \"$prev\" in\n");
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++)
        if (o->arg)
            bash_option_values(o);
    out_str("        *)\n        if [[ $cur == -* ]]; then\n            COMPREPLY=($(compgen -W '");
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        out_f("%s--%s", i > 0 ? " " : "", o->name);
        if (o->letter != 0)
            out_f(" -%c", o->letter);
        if (o->negatable)
            out_f(" --no-%s", o->name);
    }
    out_str("' -- \"$cur\"))\n        else\n            COMPREPLY=()\n");
    bash_operands(v);
    out_str("        fi;;\n    esac\n}\n\n");
}

static void bash_dispatch(void)
{
    out_str("    case \"$verb\" in\n");
    for (size_t i = 0; verb_at(i); i++) {
        if (is_first_of_family(i) && has_family(verb_at(i))) {
            out_str("        ");
            out_put(first_word(verb_at(i)->name));
            out_str(") COMPREPLY=($(compgen -W '");
            put_second_words(i);
            out_str("' -- \"$cur\"));;\n");
        }
        out_f("        '%s') _oriel_", verb_at(i)->name);
        put_identifier(verb_at(i)->name);
        out_str(";;\n");
    }
    out_str("        *) COMPREPLY=($(compgen -W '");
    put_first_words();
    out_str(" --help --version' -- \"$cur\"));;\n    esac\n");
}

static void print_bash(void)
{
    out_str("# Completion of oriel for bash, made by `oriel help --completion bash`.\n"
            "# The commands whose words are offered are printed by oriel itself.\n"
            "# shellcheck disable=SC2207\n\n");
    for (size_t i = 0; verb_at(i); i++)
        bash_verb(verb_at(i));
    out_str("_oriel() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local verb='' word i\n"
            "    if [[ $cur == '=' ]]; then\n"
            "        cur=''\n"
            "    elif [[ $prev == '=' && COMP_CWORD -gt 1 ]]; then\n"
            "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
            "    fi\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        word=${COMP_WORDS[i]}\n"
            "        case \"$verb $word\" in\n");
    for (size_t i = 0; verb_at(i); i++) {
        const struct verb *v = verb_at(i);
        if (is_first_of_family(i)) {
            out_str("            ' ");
            out_put(first_word(v->name));
            out_str("') verb=$word;;\n");
        }
        if (has_family(v))
            out_f("            '%s') verb='%s';;\n", v->name, v->name);
    }
    out_str("        esac\n    done\n");
    bash_dispatch();
    out_str("}\n\ncomplete -F _oriel oriel\n");
}

/* ---- zsh ---- */

/* Inside a specification in '...': brackets and colons mean something to _arguments. */
static void zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            out_str("'\\''");
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            out_f("\\%c", *text);
        else
            out_put(span_of(text, 1));
    }
}

static void zsh_action(const struct opt *o)
{
    if (!o->arg)
        return;
    out_f(":%s:", o->arg);
    if (o->type == OPT_FILE)
        out_str("_files");
    if (o->type != OPT_CHOICE)
        return;
    out_str("(");
    put_choices(o->choices);
    out_str(")");
}

static void zsh_option(const struct opt *o)
{
    const char *many = o->repeats ? "*" : "";
    out_f("        '%s--%s%s[", many, o->name, o->arg ? "=" : "");
    zsh_text(o->help);
    out_str("]");
    zsh_action(o);
    out_str("' \\\n");
    if (o->negatable)
        out_f("        '--no-%s[Do not.]' \\\n", o->name);
    if (o->letter == 0)
        return;
    out_f("        '%s-%c%s[", many, o->letter, o->arg ? "+" : "");
    zsh_text(o->help);
    out_str("]");
    zsh_action(o);
    out_str("' \\\n");
}

static void zsh_operand(const struct operand *o)
{
    out_f("        '%s:%s:", o->max == 1 ? "" : "*", o->name);
    if (o->words)
        out_f("{compadd -- $(%s 2>/dev/null)}", o->words);
    else if (o->kind == OPERAND_FILE)
        out_str("_files");
    else if (o->kind == OPERAND_HOST)
        out_str("_hosts");
    else
        out_str(" ");
    out_str("' \\\n");
}

static void zsh_verb(const struct verb *v)
{
    out_str("_oriel_");
    put_identifier(v->name);
    out_str("() {\n    _arguments -s \\\n");
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++)
        zsh_option(o);
    for (size_t i = 0; i < v->operands_n; i++)
        zsh_operand(&v->operands[i]);
    out_str("        && return 0\n}\n\n");
}

static void zsh_words(void)
{
    out_str("    local -a verbs\n    verbs=(\n");
    for (size_t i = 0; verb_at(i); i++) {
        if (!is_first_of_family(i))
            continue;
        out_str("        '");
        out_put(first_word(verb_at(i)->name));
        out_str(":");
        zsh_text(has_family(verb_at(i)) ? "several verbs" : verb_at(i)->summary);
        out_str("'\n");
    }
    out_str("    )\n");
}

static void zsh_dispatch(void)
{
    out_str("    case \"${words[2]}\" in\n");
    for (size_t i = 0; verb_at(i); i++) {
        const struct verb *v = verb_at(i);
        if (!is_first_of_family(i))
            continue;
        out_str("        ");
        out_put(first_word(v->name));
        out_str(")");
        if (!has_family(v)) {
            out_str(" shift words; ((CURRENT--)); _oriel_");
            put_identifier(v->name);
            out_str(";;\n");
            continue;
        }
        out_str("\n            if ((CURRENT == 3)); then\n                compadd -- ");
        put_second_words(i);
        out_str("\n            else\n                case \"${words[3]}\" in\n");
        for (size_t k = i; verb_at(k); k++) {
            struct span word = first_word(v->name);
            if (!span_eq(first_word(verb_at(k)->name), word))
                continue;
            out_f("                    %s) shift 2 words; ((CURRENT -= 2)); _oriel_",
                  verb_at(k)->name + word.n + 1);
            put_identifier(verb_at(k)->name);
            out_str(";;\n");
        }
        out_str("                esac\n            fi;;\n");
    }
    out_str("    esac\n");
}

static void print_zsh(void)
{
    out_str("#compdef oriel\n"
            "# Completion of oriel for zsh, made by `oriel help --completion zsh`.\n\n");
    for (size_t i = 0; verb_at(i); i++)
        zsh_verb(verb_at(i));
    out_str("_oriel() {\n");
    zsh_words();
    out_str("    if ((CURRENT == 2)); then\n"
            "        _describe verb verbs\n"
            "        return\n"
            "    fi\n");
    zsh_dispatch();
    out_str("}\n\n_oriel \"$@\"\n");
}

/* ---- fish ---- */

static void fish_condition(const struct verb *v)
{
    struct span word = first_word(v->name);
    out_str(" -n '__fish_seen_subcommand_from ");
    out_put(word);
    if (has_family(v))
        out_f("; and __fish_seen_subcommand_from %s", v->name + word.n + 1);
    out_str("'");
}

static void fish_option(const struct verb *v, const struct opt *o)
{
    out_str("complete -c oriel");
    fish_condition(v);
    out_f(" -l %s", o->name);
    if (o->letter != 0)
        out_f(" -s %c", o->letter);
    if (o->type == OPT_FILE)
        out_str(" -r -F");
    else if (o->arg)
        out_str(" -x");
    if (o->type == OPT_CHOICE) {
        out_str(" -a '");
        put_choices(o->choices);
        out_str("'");
    }
    out_str(" -d ");
    put_quoted(o->help);
    out_str("\n");
    if (!o->negatable)
        return;
    out_str("complete -c oriel");
    fish_condition(v);
    out_f(" -l no-%s\n", o->name);
}

static void fish_operands(const struct verb *v)
{
    for (size_t i = 0; i < v->operands_n; i++) {
        const struct operand *o = &v->operands[i];
        if (!o->words && o->kind == OPERAND_TEXT)
            continue;
        out_str("complete -c oriel");
        fish_condition(v);
        if (o->words)
            out_f(" -a '(%s 2>/dev/null)'\n", o->words);
        else if (o->kind == OPERAND_FILE)
            out_str(" -F\n");
        else
            out_str(" -a '(__fish_print_hostnames)'\n");
    }
}

static void print_fish(void)
{
    out_str("# Completion of oriel for fish, made by `oriel help --completion fish`.\n"
            "complete -c oriel -f\n"
            "complete -c oriel -n __fish_use_subcommand -l help -s h -d 'Show help.'\n"
            "complete -c oriel -n __fish_use_subcommand -l version -d 'Show the version.'\n");
    for (size_t i = 0; verb_at(i); i++) {
        const struct verb *v = verb_at(i);
        struct span word = first_word(v->name);
        if (is_first_of_family(i)) {
            out_str("complete -c oriel -n __fish_use_subcommand -a ");
            out_put(word);
            out_str(" -d ");
            put_quoted(has_family(v) ? "several verbs" : v->summary);
            out_str("\n");
        }
        if (has_family(v)) {
            out_str("complete -c oriel -n '__fish_seen_subcommand_from ");
            out_put(word);
            out_f("' -a %s -d ", v->name + word.n + 1);
            put_quoted(v->summary);
            out_str("\n");
        }
        const struct opt *o;
        for (size_t k = 0; (o = opt_at(v, k)) != NULL; k++)
            fish_option(v, o);
        fish_operands(v);
    }
}

bool completion_print(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return false;
    return true;
}
