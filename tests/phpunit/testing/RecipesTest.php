<?php

declare(strict_types=1);

/** The code that recipes of the book show is the code of their examples. */
final class RecipesTest extends PHPUnit\Framework\TestCase
{
    private const ROOT = __DIR__ . '/../../..';

    /** @dataProvider recipes */
    public function testCodeIsThatOfTheExample(string $page): void
    {
        $example = str_starts_with(basename($page), 'recipe-') ? substr(basename($page, '.md'), 7) : '';
        $sources = '';
        $folder = self::ROOT . "/examples/$example";
        $files = new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS);
        foreach (new RecursiveIteratorIterator($files) as $file) {
            $sources .= file_get_contents($file->getPathname()) . "\n";
        }
        $pattern = '/^```(?:php|js|html|toml|sql)\n(.*?)^```$/ms';
        self::assertGreaterThan(0, preg_match_all($pattern, file_get_contents($page), $found));
        // A whole file is one of the reader's.
        foreach (preg_grep('/^<\?php/', $found[1], PREG_GREP_INVERT) as $code) {
            self::assertStringContainsString(self::unindented($code), self::unindented($sources));
        }
    }

    public function recipes(): iterable
    {
        yield 'moving' => [self::ROOT . '/docs/move-an-existing-chat.md'];
        foreach (glob(self::ROOT . '/docs/recipe-*.md') as $page) {
            yield basename($page) => [$page];
        }
    }

    /** The page may show code without its indentation. */
    private static function unindented(string $code): string
    {
        return preg_replace('/^ +/m', '', $code);
    }
}
