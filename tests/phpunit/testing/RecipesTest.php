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
        // The examples share the page of one of them.
        $sources = str_replace("'../plain-php/token.php'", "'/token.php'", $sources);
        // A whole file is one of the reader's.
        foreach (preg_grep('/^<\?php/', $found[1], PREG_GREP_INVERT) as $code) {
            self::assertStringContainsString(self::unindented($code), self::unindented($sources));
        }
    }

    /** An owner changes at most 20 lines, and is told how many: those that the page shows, without whole files. */
    public function testLinesToChangeAreCounted(): void
    {
        $pages = glob(self::ROOT . '/docs/recipe-*.md');
        self::assertCount(6, $pages);
        $overview = file_get_contents(self::ROOT . '/docs/move-an-existing-chat.md');
        foreach ($pages as $page) {
            $text = file_get_contents($page);
            preg_match_all('/^```(?:php|js|html|toml|sql|ini)\n(.*?)^```$/ms', $text, $found);
            $shown = implode("\n", preg_grep('/^<\?php/', $found[1], PREG_GREP_INVERT));
            $lines = preg_grep('/^\s*($|\/\/|#)/', explode("\n", $shown), PREG_GREP_INVERT);
            $name = basename($page);
            self::assertLessThanOrEqual(20, count($lines), $name);
            self::assertSame(1, preg_match('/\*\*(\d+) lines\*\*\s+of\s+yours\s+change/', $text, $claim), $name);
            self::assertSame(count($lines), (int) $claim[1], $name);
            self::assertMatchesRegularExpression("/\($name\) \| $claim[1] \|/", $overview);
        }
    }

    /** A cast makes 9 of the text id '9lives': another user. A page without the script has no ChatPush. */
    public function testCodeWorksAsItIsPrinted(): void
    {
        foreach (glob(self::ROOT . '/docs/*.md') as $page) {
            $text = file_get_contents($page);
            self::assertStringNotContainsString('(int) $', $text, basename($page));
            if (str_contains(basename($page), 'recipe-') && str_contains($text, 'ChatPush.connect')) {
                self::assertStringContainsString('<script src="/chatpush.js"></script>', $text, basename($page));
            }
        }
    }

    public static function recipes(): iterable
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
