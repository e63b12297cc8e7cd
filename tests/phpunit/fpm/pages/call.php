<?php
// Calls one function with the arguments of the query, and tells what came of it and which process did it.
declare(strict_types=1);

$arguments = json_decode($_GET['arguments'], true);
$functions = array_map(fn ($function) => $function->getName(), (new ReflectionExtension('chatpush'))->getFunctions());
if (!in_array($_GET['function'], $functions, true)) {
    http_response_code(404);
    exit;
}
try {
    $result = $_GET['function'](...$arguments);
} catch (Throwable $thrown) {
    $result = $thrown::class . ': ' . $thrown->getMessage();
}
header('Content-Type: application/json');
echo json_encode(['result' => $result, 'process' => getmypid()]);
if (isset($_GET['exit'])) {
    // The request ends in the middle of things, with a fetched message remembered.
    exit(1);
}
