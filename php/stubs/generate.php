<?php

// Prints the IDE stubs of the built extension: what reflection says of it, with the documentation that its
// source gives each function and class.
//
// Usage: php -d extension=target/release/libchatpush.so php/stubs/generate.php [--check]
//
// --check compares with the file in the repository instead; exit code 1 if they differ.
declare(strict_types=1);

const STUBS = __DIR__ . '/chatpush.stub.php';
const SOURCES = __DIR__ . '/../../php-ext/src';

/** The documentation of each PHP function, by its name. */
function function_docs(): array
{
    $source = implode(array_map('file_get_contents', glob(SOURCES . '/functions/*.rs')));
    preg_match_all('~^function! \{\n((?:    ///.*\n)+)    fn (\w+)\(~m', $source, $found, PREG_SET_ORDER);
    $docs = [];
    foreach ($found as [, $text, $name]) {
        $docs[$name] = doc_lines($text);
    }
    return $docs;
}

function exception_sources(): string
{
    $files = [SOURCES . '/exception.rs', ...glob(SOURCES . '/exception/*.rs')];
    return implode(array_map('file_get_contents', $files));
}

/** The documentation of each class, by its name. */
function class_docs(): array
{
    $source = exception_sources();
    $class = '~((?:^///.*\n)+)(?:pub\(super\) )?static \w+: Class = Class::new\("([^"]+)"\)~m';
    preg_match_all($class, $source, $found, PREG_SET_ORDER);
    $docs = [];
    foreach ($found as [, $text, $name]) {
        $docs[stripslashes($name)] = doc_lines($text);
    }
    return $docs;
}

/** The documentation of each method of the exceptions, by its name. */
function method_docs(): array
{
    $source = exception_sources();
    $pattern = '~((?:^///.*\n)+)const \w+: Method =\s+Method \{ name: "(\w+)"~m';
    preg_match_all($pattern, $source, $found, PREG_SET_ORDER);
    $docs = [];
    foreach ($found as [, $text, $name]) {
        $docs[$name] = doc_lines($text);
    }
    return $docs;
}

/** The documentation of each enum and its cases, by `Name` and `Name::Case`. */
function enum_docs(): array
{
    $docs = [];
    foreach (['delivery', 'outcome'] as $file) {
        $source = file_get_contents(SOURCES . "/$file.rs");
        preg_match('~((?:^///[^\n]*\n)+)(?:#[^\n]*\n)+pub\(crate\) enum (\w+) \{\n(.*?)^\}~ms', $source, $found);
        $docs["ChatPush\\$found[2]"] = doc_lines($found[1]);
        preg_match_all('~((?:^ +///.*\n)+) +#.*\n +(\w+),~m', $found[3], $cases, PREG_SET_ORDER);
        foreach ($cases as [, $text, $case]) {
            $docs["ChatPush\\$found[2]::$case"] = doc_lines($text);
        }
    }
    return $docs;
}

function doc_lines(string $text): array
{
    return preg_replace('~^\s*/// ?~', '', explode("\n", rtrim($text)));
}

function doc_comment(?array $lines, string $of, string $indent = '    '): string
{
    if ($lines === null) {
        fwrite(STDERR, "$of has no documentation in its source\n");
        exit(1);
    }
    $text = "$indent/**\n";
    foreach ($lines as $line) {
        $text .= rtrim("$indent * $line") . "\n";
    }
    return "$text$indent */\n";
}

function parameter(ReflectionParameter $parameter): string
{
    $default = '';
    if ($parameter->isDefaultValueAvailable()) {
        $value = $parameter->getDefaultValue();
        $default = ' = ' . ($value === [] ? '[]' : strtolower(var_export($value, true)));
    }
    return "{$parameter->getType()} \${$parameter->getName()}$default";
}

function signature(ReflectionFunctionAbstract $function): string
{
    $parameters = implode(', ', array_map('parameter', $function->getParameters()));
    $returns = $function->getReturnType();
    $name = ($returns->isBuiltin() ? '' : '\\') . $returns->getName();
    $null = $returns->allowsNull() && !$returns->isBuiltin() ? '?' : '';
    return "function {$function->getShortName()}($parameters): $null$name {}\n";
}

function enumeration(ReflectionClass $class, array $docs): string
{
    $enum = new ReflectionEnum($class->getName());
    $text = "    enum {$class->getShortName()}: {$enum->getBackingType()}\n    {\n";
    foreach ($enum->getCases() as $case) {
        $name = "{$class->getName()}::{$case->getName()}";
        $text .= doc_comment($docs[$name] ?? null, $name, '        ')
            . "        case {$case->getName()} = '{$case->getBackingValue()}';\n";
    }
    return "$text    }\n";
}

function exception(ReflectionClass $class): string
{
    $head = "    class {$class->getShortName()} extends \\{$class->getParentClass()->getName()}";
    $docs = method_docs();
    $methods = '';
    foreach ($class->getMethods() as $method) {
        if ($method->getDeclaringClass()->getName() === $class->getName()) {
            $name = $method->getName();
            $methods .= ($methods === '' ? '' : "\n") . doc_comment($docs[$name] ?? null, $name, '        ')
                . '        public ' . signature($method);
        }
    }
    return $methods === '' ? "$head {}\n" : "$head\n    {\n$methods    }\n";
}

function stubs(ReflectionExtension $extension): string
{
    $text = "<?php\n\n// Stubs of chatpush {$extension->getVersion()} for editors and analysers. "
        . "They are generated: ./dev stubs\n";
    $docs = class_docs() + enum_docs();
    $spaces = ['ChatPush' => '', '' => ''];
    foreach ($extension->getClasses() as $class) {
        $spaces[$class->getNamespaceName()] .= "\n" . doc_comment($docs[$class->getName()] ?? null, $class->getName())
            . ($class->isEnum() ? enumeration($class, $docs) : exception($class));
    }
    $docs = function_docs();
    foreach ($extension->getFunctions() as $function) {
        $spaces[$function->getNamespaceName()] .= "\n"
            . doc_comment($docs[$function->getShortName()] ?? null, $function->getName())
            . '    ' . signature($function);
    }
    foreach ($spaces as $space => $members) {
        $text .= "\nnamespace" . ($space === '' ? '' : " $space") . " {\n" . ltrim($members, "\n") . "}\n";
    }
    return $text;
}

$stubs = stubs(new ReflectionExtension('chatpush'));
if (($argv[1] ?? '') !== '--check') {
    echo $stubs;
} elseif (file_get_contents(STUBS) !== $stubs) {
    fwrite(STDERR, "php/stubs/chatpush.stub.php is not what the built extension says: ./dev stubs\n");
    exit(1);
}
