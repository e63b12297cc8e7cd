<?php

// Prints the functions, classes and enums that a file declares, as JSON.
//
// Usage: php -n declarations.php FILE

declare(strict_types=1);

/** A function or a method: its parameters and its return type. */
function signature(ReflectionFunctionAbstract $function): string
{
    $parameters = array_map(function (ReflectionParameter $parameter): string {
        $default = '';
        if ($parameter->isDefaultValueAvailable()) {
            $default = ' = ' . json_encode($parameter->getDefaultValue());
        }
        return "{$parameter->getType()} \${$parameter->getName()}$default";
    }, $function->getParameters());
    return '(' . implode(', ', $parameters) . "): {$function->getReturnType()}";
}

/** A class or an enum: its parent, its own public and protected members, and its cases. */
function members(ReflectionClass $class): array
{
    $own = fn (ReflectionMethod|ReflectionProperty $member) =>
        !$member->isPrivate() && $member->getDeclaringClass()->getName() === $class->getName();
    $methods = [];
    foreach (array_filter($class->getMethods(), $own) as $method) {
        $methods[$method->getName()] = implode(' ', Reflection::getModifierNames($method->getModifiers()))
            . ' ' . signature($method);
    }
    $properties = array_filter($class->getProperties(), $own);
    return [
        'parent' => $class->getParentClass() ? $class->getParentClass()->getName() : null,
        'interfaces' => $class->getInterfaceNames(),
        'modifiers' => Reflection::getModifierNames($class->getModifiers()),
        'methods' => $methods,
        'properties' => array_map(fn (ReflectionProperty $property) => $property->getName(), $properties),
        'constants' => array_map(fn (mixed $value) => $value->value ?? $value, $class->getConstants()),
    ];
}

require $argv[1];

$declared = [];
foreach (get_defined_functions()['user'] as $name) {
    $function = new ReflectionFunction($name);
    if ($function->getFileName() !== __FILE__) {
        $declared["{$function->getName()}()"] = signature($function);
    }
}
foreach (get_declared_classes() as $name) {
    $class = new ReflectionClass($name);
    // What tests set up the memory with is no part of the extension.
    if ($class->isUserDefined() && $class->getNamespaceName() !== 'ChatPush\Testing') {
        $declared[$name] = members($class);
    }
}
echo json_encode($declared, JSON_THROW_ON_ERROR);
