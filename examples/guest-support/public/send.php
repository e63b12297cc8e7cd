<?php

/**
 * Takes what a page sends: a question of a guest, or an answer of the staff.
 */

declare(strict_types=1);

require __DIR__ . '/../functions.php';

start_visit();
$is_staff = is_staff();
session_write_close();
// Another site cannot set this header, so the request comes from a page of ours.
if (($_SERVER['HTTP_X_REQUESTED_WITH'] ?? '') !== 'fetch') {
    http_response_code(403);
    exit;
}
[$guest, $text, $id] = array_map(fn (string $field) => (string) ($_POST[$field] ?? ''), ['guest', 'text', 'id']);
try {
    $is_staff ? answer($guest, $text, $id) : ask(on_duty(), $text, $id);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    http_response_code(503);
} catch (ValueError $mistake) {
    http_response_code(422);
}
