"""The one stylesheet, made from the tokens."""

from __future__ import annotations

from dataclasses import asdict
from string import Template

from gui.theme import tokens
from gui.theme.tokens import Tokens

_SHEET = Template("""
QMainWindow, QDialog, QWidget[role="page"] { background: $bg; }
QWidget { color: $text; selection-background-color: $accent; selection-color: $on_accent; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }

QFrame[role="panel"], QWidget[role="panel"] { background: $panel; border: none; }
QFrame[role="bar"] { background: $panel; border: none; border-bottom: 1px solid $line; }
QFrame[role="rail"] { background: $panel; border: none; border-right: 1px solid $line; }
QFrame[role="status"] { background: $panel; border: none; border-top: 1px solid $line; }
QFrame[role="card"] { background: $raised; border: 1px solid $line; border-radius: ${radius}px; }
QFrame[role="card"][selected="true"] { border: 1px solid $accent; background: $raised; }
QFrame[role="dropzone"] { background: $panel; border: 1px dashed $faint; border-radius: 14px; }
QFrame[role="dropzone"][over="true"] { border: 1px dashed $accent; background: $accent_ground; }
QFrame[role="notice"] { background: $raised; border: none; border-left: 3px solid $dim; border-radius: 2px; }
QFrame[role="notice"][level="info"] { border-left-color: $accent; }
QFrame[role="notice"][level="ok"] { border-left-color: $ok; }
QFrame[role="notice"][level="warn"] { border-left-color: $warn; }
QFrame[role="notice"][level="bad"] { border-left-color: $bad; }
QFrame[role="line"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="line_ground"] { background: $view_line; }
QFrame[role="viewground"], QWidget[role="viewground"] { background: $view_ground; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: ${title}px; font-weight: 600; }
QLabel[role="headline"] { font-size: ${headline}px; font-weight: 600; }
QLabel[role="section"] { font-size: ${section}px; font-weight: 600; color: $dim; letter-spacing: 0.6px; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="dim"] { color: $dim; }
QLabel[role="small"] { color: $dim; font-size: ${small}px; }
QLabel[role="faint"] { color: $faint; }
QLabel[role="figure"] { font-size: ${figure}px; font-weight: 600; }
QLabel[role="ok"] { color: $ok; }
QLabel[role="warn"] { color: $warn; }
QLabel[role="bad"] { color: $bad; }
QLabel[role="accent"] { color: $accent; }
QLabel[role="viewtitle"] { color: $view_text; font-weight: 600; }
QLabel[role="sidemarker"] { background: $view_ground; color: $letters; font-weight: 600; padding: 5px; }
QLabel[role="sign"][level="ok"] { color: $ok; font-weight: 600; }
QLabel[role="sign"][level="warn"] { color: $warn; font-weight: 600; }
QLabel[role="sign"][level="bad"] { color: $bad; font-weight: 600; }
QLabel[role="sign"][level="info"] { color: $dim; font-weight: 600; }

QPushButton, QToolButton { background: $raised; border: 1px solid $line; border-radius: 6px; padding: 5px 12px;
    min-height: 18px; }
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:focus, QToolButton:focus { border: 1px solid $accent; }
QPushButton:disabled, QToolButton:disabled { color: $faint; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { border: 1px solid $text; }
QPushButton[role="primary"]:focus { border: 1px solid $text; }
QPushButton[role="primary"]:disabled { background: $line; border: 1px solid $line; color: $dim; }
QPushButton[role="danger"] { color: $bad; }
QPushButton[role="danger"]:disabled { color: $faint; }
QPushButton[role="quiet"], QToolButton[role="quiet"] { background: transparent; border: 1px solid transparent;
    padding: 4px 6px; }
QToolButton[role="quiet"] { padding: 1px; }
QPushButton[role="quiet"]:hover, QToolButton[role="quiet"]:hover { background: $hover; }
QPushButton[role="quiet"]:focus, QToolButton[role="quiet"]:focus { border: 1px solid $accent; }
QPushButton[role="quiet"]:checked { color: $accent; font-weight: 600; }
QPushButton[role="link"] { background: transparent; border: 1px solid transparent; color: $accent; padding: 2px; }
QPushButton[role="link"]:focus { border: 1px solid $accent; }
QPushButton::menu-indicator, QToolButton::menu-indicator { image: url($chevron); width: 10px; height: 10px;
    subcontrol-position: right center; right: 6px; }
QPushButton[role="primary"]::menu-indicator { image: url($chevron_primary); }
QPushButton[role="primary"][has_menu="true"] { padding-right: 24px; }
QPushButton[role="menu"], QToolButton[role="menu"] { padding-right: 24px; }
QToolButton[role="rail"] { background: transparent; border: 1px solid transparent; border-radius: 8px; color: $dim;
    font-size: ${section}px; padding: 5px 0 4px 0; }
QToolButton[role="rail"]:hover { background: $raised; }
QToolButton[role="rail"]:checked { background: $accent_ground; color: $accent; }
QToolButton[role="rail"]:focus { border: 1px solid $accent; }
QToolButton[role="view"] { background: transparent; border: 1px solid transparent; border-radius: 4px;
    padding: 1px 4px;
    min-height: 14px; color: $view_dim; }
QToolButton[role="view"]:hover { color: $letters; }
QToolButton[role="view"]:focus { border: 1px solid $crosshair; }

QLineEdit, QTextEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox, QComboBox { background: $raised;
    border: 1px solid $line;
    border-radius: 6px; padding: 4px 8px; min-height: 18px; }
QLineEdit:focus, QTextEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {
    border: 1px solid $accent; }
QLineEdit[invalid="true"], QSpinBox[invalid="true"], QDoubleSpinBox[invalid="true"], QComboBox[invalid="true"],
QPlainTextEdit[invalid="true"] { border: 1px solid $bad; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled { color: $faint; }
QComboBox { padding-right: 22px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url($chevron); width: 10px; height: 10px; }
QComboBox QAbstractItemView { background: $raised; border: 1px solid $line; outline: none; padding: 2px; }
QSpinBox::up-button, QDoubleSpinBox::up-button { border: none; width: 18px; subcontrol-position: top right; }
QSpinBox::down-button, QDoubleSpinBox::down-button { border: none; width: 18px; subcontrol-position: bottom right; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url($chevron_up); width: 8px; height: 8px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url($chevron); width: 8px; height: 8px; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator, QAbstractItemView::indicator { width: 14px; height: 14px;
    border: 1px solid $faint;
    border-radius: 4px; background: $raised; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked { background: $accent;
    border: 1px solid $accent; image: url($tick); }
QRadioButton::indicator:checked { background: $accent; border: 1px solid $accent; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 1px solid $accent; }
QCheckBox:focus, QRadioButton:focus { color: $accent; }

QSlider { background: transparent; min-height: 18px; }
QSlider::groove:horizontal { height: 4px; background: $line; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { background: $text; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }
QSlider::handle:horizontal:focus { background: $accent; }
QProgressBar { background: $line; border: none; border-radius: 2px; height: 4px; max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }

QMenuBar { background: $panel; color: $text; }
QMenuBar::item { padding: 4px 10px; background: transparent; }
QMenuBar::item:selected { background: $hover; border-radius: 4px; }
QMenu { background: $raised; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: $accent_ground; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 6px; }
QMenu::indicator { width: 12px; height: 12px; left: 6px; }
QMenu::indicator:checked { image: url($tick_menu); }

QTabWidget::pane { border: none; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: $dim; padding: 6px 4px; margin-right: 16px;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $accent; border-bottom: 2px solid $accent; font-weight: 600; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected:focus { background: $accent_ground; }

QAbstractItemView { background: $panel; alternate-background-color: $raised; border: none; outline: none;
    gridline-color: $line; }
QAbstractItemView::item:selected { background: $accent_ground; color: $text; }
QTableView::item, QTreeView::item, QListView::item { padding: 4px 6px; }
QTableView, QTreeView { border: none; }
QTableView:focus, QTreeView:focus, QListView:focus { border: 1px solid $accent; }
QHeaderView { background: transparent; }
QHeaderView::section { background: $panel; color: $dim; border: none; border-bottom: 1px solid $line; padding: 6px; }
QHeaderView::up-arrow, QHeaderView::down-arrow { subcontrol-origin: margin; subcontrol-position: top center;
    width: 8px; height: 8px; margin-top: 1px; }
QHeaderView::up-arrow { image: url($chevron_up); }
QHeaderView::down-arrow { image: url($chevron); }
QTableCornerButton::section { background: $panel; border: none; }

QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget[role="scrolled"] { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $line; border-radius: 4px; margin: 1px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QSplitter::handle:hover { background: $accent; }
""")


def stylesheet(colours: Tokens, images: dict[str, str]) -> str:
    """The application's stylesheet. `images` maps chevron, chevron_up, chevron_primary, tick, tick_menu to pictures."""
    return _SHEET.substitute(
        asdict(colours),
        **images,
        radius=tokens.RADIUS,
        title=tokens.TITLE_PX,
        headline=tokens.HEADLINE_PX,
        section=tokens.SECTION_PX,
        small=tokens.SMALL_PX,
        figure=tokens.FIGURE_PX,
    )
